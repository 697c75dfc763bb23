"""Let a publication to MongoDB fail halfway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas.publication import BATCH
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.builders import chunks_of, texts_of, vector_of, with_vector
from ingest_assets_tests.stores.notes import NOTES


def fail_nearby(store: AtlasStore) -> None:
    """Leave a batch of rows behind that are nearer to the query than any other."""

    def failing() -> Iterator[EmbeddedChunk]:
        for each in chunks_of(NOTES, texts_of("nearer", BATCH)):
            yield with_vector(each, vector_of("query"))
        raise OutsideError("away")

    with pytest.raises(OutsideError, match="away"):
        store.replace(NOTES, failing())

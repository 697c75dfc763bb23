"""Open the store that the tests of PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION


@pytest.fixture
def store(url: str) -> Iterator[PgVectorStore]:
    store = PgVectorStore(url, dimension=DIMENSION)
    store.prepare()
    yield store
    store.close()

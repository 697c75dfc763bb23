"""Test writers of one file at the same time in MongoDB, and those that fail halfway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas.publication import BATCH
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.builders import (
    chunks_of,
    texts_of,
)
from ingest_assets_tests.stores.notes import NOTES, TEXTS, found_texts, names_in

slow = pytest.mark.slow


@slow
@pytest.mark.parametrize("server", ["mongo_replica_set", "mongo_standalone"])
def test_of_two_writers_of_a_file_the_later_one_wins_whole(
    server: str, opened: Callable[..., AtlasStore], request: pytest.FixtureRequest
) -> None:
    uri = request.getfixturevalue(server).uri
    first, second = opened(uri), opened(uri)
    first.prepare()

    def overtaken() -> Iterator[EmbeddedChunk]:
        yield from chunks_of(NOTES, texts_of("first", BATCH))
        second.replace(NOTES, chunks_of(NOTES, texts_of("second", 700)))
        yield from chunks_of(NOTES, texts_of("late", BATCH + 1))

    with pytest.raises(OutsideError, match=r"notes\.txt"):
        first.replace(NOTES, overtaken())
    assert [chunk.text for chunk in first.chunks(NOTES.file_id, limit=2000)] == texts_of("second", 700)
    assert len(found_texts(second, k=2000)) == 700
    # Rows that the first wrote after it was overtaken are in force under no later generation either.
    second.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert found_texts(second) == sorted(TEXTS)
    assert len(names_in(second)) == 12


@slow
def test_a_writer_that_a_deletion_overtakes_publishes_nothing(opened: Callable[..., AtlasStore]) -> None:
    writer, other = opened(), opened()
    writer.prepare()

    def overtaken() -> Iterator[EmbeddedChunk]:
        yield from chunks_of(NOTES, texts_of("first", BATCH))
        other.delete(NOTES.file_id)
        other.replace(NOTES, chunks_of(NOTES, TEXTS))

    writer.replace(NOTES, chunks_of(NOTES, texts_of("before", 3)))
    with pytest.raises(OutsideError, match="another"):
        writer.replace(NOTES, overtaken())
    assert found_texts(other) == sorted(TEXTS)

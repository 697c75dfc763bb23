"""Test the states in which a publication leaves a file, on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import State
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stages.publish import publish
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, texts_of

NOTES = record_of("notes.txt")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChromaStore]:
    store = ChromaStore(str(tmp_path))
    yield store
    store.close()


@pytest.mark.parametrize(
    ("quarantined", "count", "state"),
    [((), 3, State.SUCCEEDED), ((2, 5), 3, State.PARTIAL), ((), 0, State.EMPTY), ((1,), 0, State.PARTIAL)],
)
def test_a_file_ends_in_a_named_state(
    store: ChromaStore, quarantined: tuple[int, ...], count: int, state: State
) -> None:
    record = replace(NOTES, state=State.FAILED, quarantined=quarantined)
    kept = publish(record, chunks_of(record, texts_of("notes", count)), store=store)
    assert (kept.state, kept.chunks) == (state, count)
    assert store.file(NOTES.file_id) == kept
    assert len(store.chunks(NOTES.file_id)) == count


def test_what_fails_before_the_first_chunk_changes_nothing(store: ChromaStore) -> None:
    kept = publish(NOTES, chunks_of(NOTES, texts_of("notes", 3)), store=store)

    def failing() -> Iterator[EmbeddedChunk]:
        raise OutsideError("the embedder is away")
        yield

    with pytest.raises(OutsideError):
        publish(NOTES, failing(), store=store)
    assert store.file(NOTES.file_id) == kept

"""Damage rows in every way behind the store's back; each kind is found by its name and repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Chunk
from ingest_assets.stages.upkeep.repair import Action, repair
from ingest_assets.stages.upkeep.validate import Problem, validate
from ingest_assets.stores.chroma.read import row_names
from ingest_assets.stores.chroma.rows import OPEN
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, record_of, texts_of, vector_of
from ingest_assets_tests.stores.fakes import CountingEmbedder

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChromaStore]:
    store = ChromaStore(str(tmp_path / "store"))
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    yield store
    store.close()


def kept(record: FileRecord) -> list[Chunk]:
    return [each.chunk for each in chunks_of(NOTES, TEXTS)]


def nothing_kept(record: FileRecord) -> None:
    return None


def spoil(store: ChromaStore, **columns: Any) -> None:
    """Change one row."""
    with store._access.writing() as handle:
        name = sorted(row_names(handle, NOTES.file_id))[0]
        if "documents" in columns:  # or Chroma would embed the new text by itself
            columns["embeddings"] = handle.chunks.get(ids=[name], include=["embeddings"])["embeddings"][0]
        handle.chunks.update(ids=[name], **{column: [value] for column, value in columns.items()})


def copy(store: ChromaStore, name: str, **changes: Any) -> None:
    """Put a second row beside one."""
    with store._access.writing() as handle:
        first = sorted(row_names(handle, NOTES.file_id))[0]
        row = handle.chunks.get(ids=[first], include=["metadatas", "documents"])
        metadata = {**row["metadatas"][0], **changes}
        handle.chunks.add(ids=[name], embeddings=[vector_of("copy")], metadatas=[metadata], documents=row["documents"])


def forget_the_record(store: ChromaStore) -> None:
    with store._access.writing() as handle:
        handle.files.delete(ids=[NOTES.file_id])


OWNER = "0" * 16
DAMAGE = {
    Problem.WRONG_HASH: lambda store: spoil(store, documents="something else"),
    Problem.NOT_UNIT: lambda store: spoil(store, embeddings=np.full(DIMENSION, 3.0, dtype=np.float32)),
    Problem.WRONG_MODEL: lambda store: spoil(store, metadatas={"model": "another"}),
    Problem.WRONG_OWNER: lambda store: spoil(store, metadatas={"user_id": "bob"}),
    Problem.WRONG_DIMENSION: lambda store: spoil(store, metadatas={"dimension": 7}),
    Problem.DIFFERENT: lambda store: spoil(store, metadatas={"pages": "[99]"}),
    Problem.STALE: lambda store: copy(store, f"{OWNER}/{'c' * 32}/{'d' * 16}@9", since=9, until=OPEN),
    Problem.DUPLICATE: lambda store: copy(store, f"{OWNER}/{'c' * 32}/{'d' * 16}@1"),
    Problem.ORPHANED: forget_the_record,
}


@pytest.mark.parametrize("problem", DAMAGE)
def test_damage_has_a_name_and_a_cure(store: ChromaStore, problem: Problem) -> None:
    DAMAGE[problem](store)
    (examined,) = validate(store, kept=kept)
    assert problem in {finding.problem for finding in examined.findings}
    done = repair(examined, store=store, kept=kept, forget=lambda _: None, embedder=CountingEmbedder())
    assert done.is_whole
    assert all(not each.findings for each in validate(store, kept=kept))
    if problem is Problem.ORPHANED:
        assert list(store.rows(NOTES.file_id)) == []
    else:
        assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == TEXTS


def test_without_kept_chunks_a_lost_text_is_read_again_and_not_searched(store: ChromaStore) -> None:
    spoil(store, documents="something else")
    (examined,) = validate(store, kept=nothing_kept)
    done = repair(examined, store=store, kept=nothing_kept, forget=lambda _: None, embedder=CountingEmbedder())
    assert (done.action, done.is_whole) == (Action.READ_AGAIN, False)
    assert len(store.chunks(NOTES.file_id)) == 5
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert all(not each.findings for each in validate(store, kept=kept))


def test_without_kept_chunks_a_spoilt_vector_is_made_anew_alone(store: ChromaStore) -> None:
    spoil(store, embeddings=np.full(DIMENSION, 3.0, dtype=np.float32))
    (examined,) = validate(store, kept=nothing_kept)
    done = repair(examined, store=store, kept=nothing_kept, forget=lambda _: None, embedder=CountingEmbedder())
    assert (done.action, done.embedded) == (Action.REWRITE, 1)
    assert all(not each.findings for each in validate(store, kept=kept))


def test_kept_chunks_that_cannot_be_read_are_forgotten_and_the_rows_serve(store: ChromaStore) -> None:
    forgotten: list[str] = []

    def damaged(record: FileRecord) -> None:
        if not forgotten:
            raise OutsideError("its kept chunks cannot be read")

    (examined,) = validate(store, kept=damaged)
    assert [finding.problem for finding in examined.findings] == [Problem.KEPT_DAMAGED]
    done = repair(
        examined,
        store=store,
        kept=damaged,
        forget=lambda record: forgotten.append(record.file_id),
        embedder=CountingEmbedder(),
    )
    assert (forgotten, done.is_whole) == ([NOTES.file_id], True)
    assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == TEXTS


def test_a_row_that_somebody_else_wrote_stops_nothing(store: ChromaStore) -> None:
    with store._access.writing() as handle:
        handle.chunks.add(ids=["mine"], embeddings=[vector_of("mine")], metadatas=[{"a": 1}], documents=["mine"])
    assert [each.findings for each in validate(store, kept=kept)] == [()]

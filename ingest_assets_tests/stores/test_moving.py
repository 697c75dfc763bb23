"""Test on every store that everything can be copied into another store, or built anew under another model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest_assets.ledger_records import State
from ingest_assets.stages.upkeep.change_model import Built, build_beside
from ingest_assets.stages.upkeep.migrate import migrate
from ingest_assets.stages.upkeep.validate import validate
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    Vector,
    publish,
    record_of,
    texts_in,
    texts_of,
    vector_of,
)
from ingest_assets_tests.stores.conftest import Opener
from ingest_assets_tests.stores.fakes import CountingEmbedder
from ingest_assets_tests.stores.upkeep import NOTES, SCOPE, TEXTS, kept, line, nothing_kept, put, tidy


@pytest.fixture
def other(tmp_path: Path) -> Iterator[ChromaStore]:
    store = ChromaStore(str(tmp_path / "other"))
    yield store
    store.close()


def test_everything_moves_to_another_store_and_back(open_store: Opener, other: ChromaStore, tmp_path: Path) -> None:
    store = open_store()
    publish(store, NOTES, TEXTS)
    publish(store, NOTES, [*TEXTS[:5], "edited", *TEXTS[6:]])
    tidy(store, tmp_path, [NOTES.file_id])
    put(store, [line("c1", "one"), line("c2", "two")])
    store.note(replace(record_of("bad.pdf"), state=State.FAILED, error="encrypted"))
    assert [moved.copied for moved in migrate(store, other)] == [True, True, True]
    assert [moved.copied for moved in migrate(store, other)] == [False, False, False]
    for record in store.files():
        there = other.file(record.file_id)
        assert there is not None
        assert replace(there, generation=0) == replace(record, generation=0)
        assert other.chunks(record.file_id) == store.chunks(record.file_id)
        theirs = {row.chunk.chunk_id: row for row in other.rows(record.file_id)}
        for row in store.rows(record.file_id):
            copy = theirs[row.chunk.chunk_id]
            assert row.vector is not None
            assert copy.vector is not None
            assert float(row.vector @ copy.vector) == pytest.approx(1.0, abs=1e-5)
            assert copy.flags == row.flags
    assert all(not each.findings for each in validate(other, kept=nothing_kept))
    for record in store.files():
        store.delete(record.file_id)
    assert all(moved.copied for moved in migrate(other, store))
    assert all(not each.findings for each in validate(store, kept=nothing_kept))
    assert len(store.files()) == 3


def test_another_models_vectors_are_built_beside_and_switched_to_in_one_step(open_store: Opener) -> None:
    old, embedder = open_store(""), CountingEmbedder("next-model", 48)
    publish(old, NOTES, TEXTS)
    publish(old, record_of("other.txt"), texts_of("other", 3))
    old.note(replace(record_of("bad.pdf"), state=State.FAILED, error="encrypted"))
    new = open_store("mnext", dimension=48)

    def build() -> list[Built]:
        passes = build_beside(old, new, kept=kept, embedder=embedder, fingerprint_of=lambda record: "new")
        return list(passes)

    assert [built.changed for built in build()] == [True, True, True]
    assert len(embedder.texts) == 15
    assert found(old, vector_of(TEXTS[0])) == TEXTS[0]
    publish(old, record_of("late.txt"), ["late"])
    old.delete("other.txt")
    assert sum(built.changed for built in build()) == 2
    assert (old.current_space(), new.current_space()) == ("", "")
    old.switch("mnext")
    publish(new, record_of("newest.txt"), [])
    passed = build_beside(old, new, kept=kept, embedder=embedder, fingerprint_of=lambda record: "new", in_use=True)
    assert not any(built.changed for built in passed)
    assert new.delete("newest.txt") == 0
    assert (old.current_space(), new.current_space()) == ("mnext", "mnext")
    assert found(new, vector_of("late", 48)) == "late"
    assert [record.file_id for record in new.files()] == [NOTES.file_id, "bad.pdf", "late.txt"]
    assert all(not each.findings for each in validate(new, kept=kept))
    with pytest.raises(ValueError, match="in use"):
        new.drop()
    old.drop()
    assert texts_in(open_store("mnext", dimension=48), NOTES.file_id) == TEXTS


def found(store: VectorStore, vector: Vector) -> str:
    (hit,) = store.search(vector, k=1, scope=SCOPE)
    return hit.chunk.text

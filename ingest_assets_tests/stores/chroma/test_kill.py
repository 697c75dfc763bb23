"""Kill a writer to Chroma before and after each of its writes, while another process searches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest_assets.stores.chroma.ledger import entry_in
from ingest_assets.stores.chroma.read import row_names
from ingest_assets.stores.chroma.rows import parts_of
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, scope_of, texts_of, vector_of
from ingest_assets_tests.stores.chroma.killed_writer import NEW, OLD, RECORD, ROWS_PER_WRITE
from ingest_assets_tests.stores.killing import KilledAt, killed_writer, moments, watching_reader

pytestmark = pytest.mark.slow


@pytest.fixture(params=["embedded", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Location and database of an empty store."""
    if request.param == "embedded":
        return str(tmp_path / "store"), "default_database"
    store: ChromaStore = request.getfixturevalue("chroma_server")()
    return store._access.location, store._access._place.database


@pytest.fixture
def store(place: tuple[str, str]) -> Iterator[ChromaStore]:
    store = ChromaStore(place[0], database=place[1])
    store.replace(RECORD, chunks_of(RECORD, OLD))
    yield store
    store.close()


@pytest.fixture
def killed_at(place: tuple[str, str]) -> Iterator[KilledAt]:
    with killed_writer("chroma", *place) as killed_at:
        yield killed_at


def every_row(store: ChromaStore) -> list[dict[str, Any]]:
    """Return all of the file's rows, in force or not, but for generations and the time of writing."""
    with store._access.reading() as handle:
        names = row_names(handle, RECORD.file_id)
        found = handle.chunks.get(ids=names, include=["metadatas", "documents", "embeddings"]) if names else {}
        entry = entry_in(handle, RECORD.file_id)
    rows = []
    for index, name in enumerate(found.get("ids", ())):
        row = dict(found["metadatas"][index])
        assert row.pop("created")
        assert entry is not None and row.pop("since") <= entry.generation < row["until"]
        vector = np.asarray(found["embeddings"][index], dtype=np.float32).tolist()
        rows.append(row | {"id": parts_of(name)[:2], "text": found["documents"][index], "vector": vector})
    return sorted(rows, key=lambda row: row["position"])


def answers(store: ChromaStore) -> list[tuple[str, float]]:
    hits = store.search(vector_of("only new 3"), k=5, scope=scope_of(RECORD))
    return [(hit.chunk.text, round(hit.score, 5)) for hit in hits]


def texts_in(store: ChromaStore) -> list[str]:
    return [chunk.text for chunk in store.chunks(RECORD.file_id)]


def writes_for(texts: list[str]) -> int:
    return math.ceil(len(texts) / ROWS_PER_WRITE)


@pytest.fixture
def never_crashed(tmp_path: Path) -> Iterator[ChromaStore]:
    store = ChromaStore(str(tmp_path / "never crashed"))
    store.replace(RECORD, chunks_of(RECORD, NEW))
    yield store
    store.close()


def test_a_killed_replacement_is_all_old_or_all_new(
    store: ChromaStore, place: tuple[str, str], killed_at: KilledAt, never_crashed: ChromaStore
) -> None:
    outcomes = []
    with watching_reader("chroma", *place) as seen:
        for nth, moment in moments():
            store.replace(RECORD, chunks_of(RECORD, OLD))
            if not killed_at("replace", nth, moment):
                break
            in_force = texts_in(store)
            assert in_force in (OLD, NEW), (nth, moment)
            assert len(store.search(vector_of("x"), k=100, scope=scope_of(RECORD))) == len(in_force)
            assert store.audit(RECORD.file_id).problems == (), (nth, moment)
            outcomes.append(in_force == NEW)
            store.replace(RECORD, chunks_of(RECORD, NEW))
            assert every_row(store) == every_row(never_crashed), (nth, moment)
            assert answers(store) == answers(never_crashed)
        looked = seen()
    assert set(looked) == {"old", "new"}, looked
    # Rows are written, old ones closed, the commit made, old ones removed; it turns at the commit and nowhere else.
    before, after = writes_for(NEW) + writes_for(OLD), writes_for(OLD)
    assert outcomes == [False] * (2 * before + 1) + [True] * (1 + 2 * after)


def test_a_killed_deletion_is_all_there_or_gone(
    store: ChromaStore, place: tuple[str, str], killed_at: KilledAt
) -> None:
    outcomes = []
    with watching_reader("chroma", *place) as seen:
        for nth, moment in moments():
            store.replace(RECORD, chunks_of(RECORD, OLD))
            if not killed_at("delete", nth, moment):
                break
            hits = store.search(vector_of("x"), k=100, scope=scope_of(RECORD))
            there = store.file(RECORD.file_id) is not None
            assert texts_in(store) == (OLD if there else []), (nth, moment)
            assert len(hits) == (len(OLD) if there else 0), (nth, moment)
            outcomes.append(there)
            store.delete(RECORD.file_id)
            audit = store.audit(RECORD.file_id)
            assert (audit.rows, audit.stray, audit.problems) == (0, 0, ()), (nth, moment)
        looked = seen()
    assert set(looked) == {"old", "none"}, looked
    # The mark, the rows, the record; it turns at the mark.
    assert outcomes == [True] + [False] * (1 + 2 * writes_for(OLD) + 2)


def test_a_file_killed_in_deletion_can_be_put_back(store: ChromaStore, killed_at: KilledAt) -> None:
    assert killed_at("delete", 2, "after")
    store.replace(RECORD, chunks_of(RECORD, texts_of("back", 3)))
    assert texts_in(store) == texts_of("back", 3)
    audit = store.audit(RECORD.file_id)
    assert (audit.rows, audit.stray, audit.problems) == (3, 0, ())


def test_a_failure_noted_after_a_killed_deletion_brings_nothing_back(store: ChromaStore, killed_at: KilledAt) -> None:
    assert killed_at("delete", 2, "after")
    store.note(RECORD)
    assert texts_in(store) == []
    assert store.search(vector_of("x"), k=100, scope=scope_of(RECORD)) == []
    assert store.audit(RECORD.file_id).stray == 0

"""Test on every store that duplicates go, flags are set and metadata are completed."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Chunk
from ingest_assets.stages.prechunk import Status
from ingest_assets.stages.upkeep.validate import examine
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    chunks_of,
    publish,
    record_of,
    scope_of,
    texts_in,
    vector_of,
)
from ingest_assets_tests.stores.upkeep import NOTES, line, put, tidy


def test_later_chunks_of_equal_text_go_and_are_not_missed(store: VectorStore, tmp_path: Path) -> None:
    publish(store, NOTES, ["alpha", "beta", "alpha", "gamma", "alpha"])
    (done,) = tidy(store, tmp_path, [NOTES.file_id])
    record = store.file(NOTES.file_id)
    assert record is not None
    assert (done.duplicates, record.chunks, record.duplicates) == (2, 3, 2)
    assert texts_in(store, NOTES.file_id) == ["alpha", "beta", "gamma"]
    hits = store.search(vector_of("alpha"), k=10, scope=scope_of(NOTES))
    assert sorted(hit.chunk.text for hit in hits) == ["alpha", "beta", "gamma"]

    def all_five(record: FileRecord) -> list[Chunk]:
        return [each.chunk for each in chunks_of(NOTES, ["alpha", "beta", "alpha", "gamma", "alpha"])]

    assert examine(store, NOTES.file_id, kept=all_five).findings == ()
    assert store.audit(NOTES.file_id).problems == ()
    (again,) = tidy(store, tmp_path, [NOTES.file_id])
    assert (again.duplicates, again.flagged, again.completed) == (0, 0, 0)


def test_what_a_client_handed_in_twice_stays(store: VectorStore, tmp_path: Path) -> None:
    put(store, [line("c1", "one"), line("c2", "one", index=1)])
    (record,) = store.files()
    (done,) = tidy(store, tmp_path, [record.file_id])
    assert done.duplicates == 0
    assert [answer.status for answer in put(store, [line("c2", "one", index=1)])] == [Status.IDENTICAL]


def test_duplicates_of_a_project_stay_in_the_first_file(store: VectorStore, tmp_path: Path) -> None:
    first, second = record_of("a.txt"), record_of("b.txt")
    publish(store, first, ["alpha", "beta"])
    publish(store, second, ["beta", "gamma"])
    done = tidy(store, tmp_path, ["a.txt", "b.txt"], by_project=True)
    assert [each.duplicates for each in done] == [0, 1]
    assert (texts_in(store, "a.txt"), texts_in(store, "b.txt")) == (["alpha", "beta"], ["gamma"])


def test_flags_say_what_an_answer_may_rest_on(store: VectorStore, tmp_path: Path) -> None:
    publish(store, NOTES, ["plain words", "see: A red lamp on a table"])
    (done,) = tidy(store, tmp_path, [NOTES.file_id])
    assert (done.flagged, done.completed) == (2, 1)  # the summary was empty
    flags = {row.chunk.text: row.flags for row in store.rows(NOTES.file_id)}
    found = {text: (each.rag_strict, each.source_only) for text, each in flags.items() if each is not None}
    assert found == {"plain words": (True, True), "see: A red lamp on a table": (True, False)}
    assert store.compact()

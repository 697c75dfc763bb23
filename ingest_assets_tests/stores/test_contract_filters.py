"""Test that every store keeps a client's own fields, and that a search returns only what its filter lets through."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ingest_assets.ledger_records import FileRecord, Filter, Scope, State
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, scope_of, texts_of, vector_of
from ingest_assets_tests.stores.notes import HANDED_IN, NOTES, TEXTS, only

FIELDS: dict[str, Any] = {
    "source": "company_123",
    "tokens": 150,
    "ratio": 1.0,
    "huge": 123456789012345678901234567890,
    "is draft": False,
    "nothing": None,
    "tags": ["red", 7, {"deep": ["x"]}],
    "$where": "1 == 1",
    "a.b": {"c.d": ""},
    "": "no name",
    "Größe \u2028": "\\u0000 – 𝄞",
}


def with_fields(record: FileRecord) -> list[EmbeddedChunk]:
    """Twelve chunks on four pages and in three sections; each says its number, and whether it is even."""
    return [
        replace(each, chunk=replace(each.chunk, metadata={"number": number, "even": number % 2 == 0, "tags": ["all"]}))
        for number, each in enumerate(chunks_of(record, texts_of(record.filename, 12)))
    ]


def numbers(store: VectorStore, filters: Filter, *, k: int = 100, scope: Scope | None = None) -> list[int]:
    hits = store.search(vector_of("anything"), k=k, scope=scope or scope_of(NOTES), filters=filters)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return sorted(hit.chunk.index for hit in hits)


def test_a_clients_fields_are_given_back_as_they_came(store: VectorStore) -> None:
    (plain,) = only(NOTES, TEXTS, 3)
    chunk = replace(plain.chunk, metadata=FIELDS)
    store.add(HANDED_IN, [replace(plain, chunk=chunk), *only(NOTES, TEXTS, 5)])
    assert store.chunks(NOTES.file_id) == [chunk, only(NOTES, TEXTS, 5)[0].chunk]
    assert store.chunks_named(NOTES.file_id, [chunk.chunk_id]) == {chunk.chunk_id: chunk}
    assert {row.chunk.chunk_id: row.chunk.metadata for row in store.rows(NOTES.file_id)}[chunk.chunk_id] == FIELDS
    (hit,) = store.search(vector_of(TEXTS[3]), k=1, scope=scope_of(NOTES))
    assert (hit.chunk, hit.media_type, list(hit.chunk.metadata)) == (chunk, "text/plain", list(FIELDS))
    assert type(hit.chunk.metadata["ratio"]) is float


def test_changed_fields_make_another_row(store: VectorStore) -> None:
    chunks = only(NOTES, TEXTS, 0, 1)
    store.replace(NOTES, chunks)
    changed = replace(chunks[0], chunk=replace(chunks[0].chunk, metadata={"tokens": 1}), reused=True)
    store.replace(NOTES, [changed, chunks[1]])
    assert [chunk.metadata for chunk in store.chunks(NOTES.file_id)] == [{"tokens": 1}, {}]
    assert store.audit(NOTES.file_id).problems == ()


def test_the_record_says_what_the_chunks_in_force_carry(store: VectorStore) -> None:
    said = json.dumps(FIELDS, ensure_ascii=False)
    chunks = [replace(each, chunk=replace(each.chunk, metadata=FIELDS)) for each in only(NOTES, TEXTS, 0)]
    store.replace(replace(NOTES, metadata=said), chunks)
    store.note(replace(NOTES, state=State.FAILED, metadata='{"of": "an attempt in vain"}'))
    record = store.file(NOTES.file_id)
    assert record is not None and (record.state, record.metadata) == (State.FAILED, said)
    assert record.described == FIELDS


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filter(), list(range(12))),
        (Filter(pages=(2,)), [3, 4, 5]),
        (Filter(pages=(1, 4, 99)), [0, 1, 2, 9, 10, 11]),
        (Filter(sections=("Section 1",)), [5, 6, 7, 8, 9]),
        (Filter(sections=("Part",)), list(range(12))),
        (Filter(sections=("Section",)), []),
        (Filter(filenames=("notes.txt", "other.txt"), pages=(2,)), [3, 4, 5]),
        (Filter(filenames=("other.txt",)), []),
        (Filter(media_types=("text/plain",), sections=("Section 2",)), [10, 11]),
        (Filter(media_types=("application/pdf",)), []),
        (Filter(metadata={"number": (3,)}), [3]),
        (Filter(metadata={"number": (3.0, 4, "5")}), [3, 4]),
        (Filter(metadata={"number": (True,)}), []),
        (Filter(metadata={"even": (True,)}), [0, 2, 4, 6, 8, 10]),
        (Filter(metadata={"even": (1,)}), []),
        (Filter(metadata={"tags": ("all",), "even": (False,)}, pages=(1,)), [1]),
        (Filter(metadata={"tags": ("al",)}), []),
        (Filter(metadata={"unheard of": ("x",)}), []),
        (Filter(metadata={"'; DROP TABLE chunks; --": ("$ne",)}), []),
    ],
    ids=repr,
)
def test_a_search_returns_only_what_its_filter_lets_through(
    store: VectorStore, filters: Filter, expected: list[int]
) -> None:
    store.replace(NOTES, with_fields(NOTES))
    theirs = record_of("notes.txt", user_id="bob")
    store.replace(replace(theirs, file_id="bob/notes.txt"), with_fields(replace(theirs, file_id="bob/notes.txt")))
    assert numbers(store, filters) == expected


def test_the_nearest_that_pass_the_filter_are_found_behind_many_that_do_not(store: VectorStore) -> None:
    record = record_of("long.txt")
    long = list(chunks_of(record, texts_of("long", 600)))
    marked = [replace(each, chunk=replace(each.chunk, metadata={"rare": each.chunk.index % 200 == 7})) for each in long]
    store.replace(record, marked)
    rare = Filter(metadata={"rare": (True,)})
    assert numbers(store, rare, k=3) == [7, 207, 407]
    query = vector_of("anything")
    best = max((7, 207, 407), key=lambda index: float(long[index].vector @ query))
    assert numbers(store, rare, k=1) == [best]


def test_a_filter_sees_only_the_generation_in_force(store: VectorStore) -> None:
    store.replace(NOTES, with_fields(NOTES))
    store.replace(NOTES, only(NOTES, TEXTS, 0, 3))
    assert numbers(store, Filter(metadata={"even": (True,)})) == []
    assert numbers(store, Filter(pages=(2,))) == [3]


def test_chunks_are_found_by_id_in_all_files_of_a_scope(store: VectorStore) -> None:
    other, theirs = record_of("other.txt"), record_of("theirs.txt", user_id="bob")
    for record in (NOTES, other, theirs):
        store.add(record, [_named(each, "same", record) for each in only(NOTES, TEXTS, 0)])
        store.add(record, [_named(each, f"own of {record.filename}", record) for each in only(NOTES, TEXTS, 1)])
    found = store.chunks_within(scope_of(NOTES), ["same", "own of other.txt", "own of theirs.txt", "unheard of"])
    assert [(chunk.chunk_id, chunk.file_id) for chunk in found] == [
        ("own of other.txt", "other.txt"),
        ("same", "notes.txt"),
        ("same", "other.txt"),
    ]
    store.delete("other.txt")
    assert [chunk.file_id for chunk in store.chunks_within(scope_of(NOTES), ["same", "own of other.txt"])] == [
        "notes.txt"
    ]
    assert store.chunks_within(scope_of(NOTES), []) == []


def _named(embedded: EmbeddedChunk, chunk_id: str, record: FileRecord) -> EmbeddedChunk:
    return replace(embedded, chunk=replace(embedded.chunk, chunk_id=chunk_id, file_id=record.file_id))

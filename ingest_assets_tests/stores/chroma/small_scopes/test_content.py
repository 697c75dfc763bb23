"""Test what is read of a scope's rows when its file is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ingest_assets.ledger_records import EVERYTHING
from ingest_assets.stores.chroma.client import ChromaCollections
from ingest_assets.stores.chroma.rows import scope_key
from ingest_assets.stores.chroma.small_scopes.content import content_of, small_scope_entries
from ingest_assets.stores.chroma.small_scopes.scope_rows import ScopeRows
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, scope_of, vector_of

NOTES, BOOK = record_of("notes.txt"), record_of("book.txt")
SCOPE = scope_key(scope_of(NOTES))


class Listened:
    """Chroma's collection of chunks, and the conditions that it was asked with."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks
        self.asked: list[Any] = []

    def get(self, **query: Any) -> Any:
        self.asked.append(query["where"])
        return self._chunks.get(**query)


def read(store: ChromaStore, former: ScopeRows | None) -> tuple[ScopeRows, list[Any]]:
    """Read the rows of the scope; return them, and what Chroma was asked for."""
    with store._access.reading() as handle:
        listened = Listened(handle.chunks)
        opened: ChromaCollections = replace(handle, chunks=listened)
        entries = small_scope_entries(opened, SCOPE, most_files=10)
        assert entries is not None
        return ScopeRows.of(content_of(opened, entries, former=former, written_for="")), listened.asked


def test_only_the_file_that_was_published_is_read_again(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, ["one", "two"]))
    first, asked = read(store, None)
    assert asked == [{"file_id": {"$in": ["notes.txt"]}}]
    store.replace(BOOK, chunks_of(BOOK, ["three"]))
    second, asked = read(store, first)
    assert asked == [{"file_id": {"$in": ["book.txt"]}}]
    hits = second.nearest(vector_of("x"), k=10, filters=EVERYTHING)
    assert sorted(hit.chunk.text for hit in hits) == ["one", "three", "two"]


def test_a_scope_of_many_files_is_not_small(store: ChromaStore) -> None:
    for record in (NOTES, BOOK):
        store.replace(record, chunks_of(record, [record.filename]))
    with store._access.reading() as handle:
        assert small_scope_entries(handle, SCOPE, most_files=1) is None
        assert set(small_scope_entries(handle, SCOPE, most_files=2) or ()) == {"notes.txt", "book.txt"}

"""Provide one file of twelve chunks, and short functions for what a store has of it."""

from __future__ import annotations

from dataclasses import replace

from ingest_assets.ledger_records import FileRecord, Origin, StoredChunk
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, scope_of, texts_of, vector_of

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)
HANDED_IN = replace(NOTES, origin=Origin.CLIENT)


def names_in(store: VectorStore) -> set[str]:
    return {row.name for row in store.rows(NOTES.file_id)}


def found_texts(store: VectorStore, *, k: int = 100) -> list[str]:
    return sorted(hit.chunk.text for hit in store.search(vector_of("query"), k=k, scope=scope_of(NOTES)))


def in_force(store: VectorStore, file_id: str) -> list[StoredChunk]:
    return [row for row in store.rows(file_id) if row.in_force]


def only(record: FileRecord, texts: list[str], *indexes: int) -> list[EmbeddedChunk]:
    """Return the chunks at these indexes of a document."""
    return [each for each in chunks_of(record, texts) if each.chunk.index in indexes]

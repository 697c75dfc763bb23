"""One file of twelve chunks, and short words for what a store has of it."""

from __future__ import annotations

from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import record_of, scope_of, texts_of, vector_of

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)


def names_in(store: VectorStore) -> set[str]:
    return {row.name for row in store.rows(NOTES.file_id)}


def found_texts(store: VectorStore, *, k: int = 100) -> list[str]:
    return sorted(hit.chunk.text for hit in store.search(vector_of("query"), k=k, scope=scope_of(NOTES)))

"""Read chunks and vectors from the rows of an open Chroma store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ingest_assets.batches import batches
from ingest_assets.ledger_records import Origin, Scope
from ingest_assets.records import Chunk
from ingest_assets.stores.chroma.collections import is_our_row
from ingest_assets.stores.chroma.ledger import entries_in, entry_in, require_unmoved
from ingest_assets.stores.chroma.rows import ChromaEntry, in_force, read, scope_key
from ingest_assets.stores.rows import chunk_of
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.chroma.client import ChromaCollections

_PAGE = 500
"""Rows read at once with their vectors: 2 MB at 384 dimensions with their text."""


def row_names(store: ChromaCollections, file_id: str) -> list[str]:
    """Return the ids of all of a file's rows, in force or not."""
    return [name for name in store.chunks.get(where={"file_id": file_id}, include=[])["ids"] if is_our_row(name)]


def page_of_chunks(store: ChromaCollections, file_id: str, *, limit: int, offset: int) -> list[Chunk]:
    """Return the chunks in force from `offset` on, in document order."""
    entry = entry_in(store, file_id)
    if entry is not None and entry.record.origin is Origin.CLIENT:
        names = _client_page(store, entry, limit=limit, offset=offset)
        if not names:
            return []
        where: dict[str, Any] = {"ids": names}
    else:
        where = {"where": places(file_id, offset, offset + limit)}
    found = store.chunks.get(**where, include=["metadatas", "documents"])
    require_unmoved(store, file_id, entry)
    rows = zip(found["metadatas"] or (), found["documents"] or (), strict=True)
    current = [chunk_of(read(row, text)) for row, text in rows if in_force(row, entry)]
    return sorted(current, key=lambda chunk: (chunk.index, chunk.chunk_id))


def places(file_id: str, first: int, end: int) -> dict[str, Any]:
    """Return the filter for rows at these places of a document."""
    return {"$and": [{"file_id": file_id}, {"position": {"$gte": first}}, {"position": {"$lt": end}}]}


def _client_page(store: ChromaCollections, entry: ChromaEntry, *, limit: int, offset: int) -> list[str]:
    """Return the names of a page of rows, for a document whose chunks were handed in one by one in any order."""
    found = store.chunks.get(where={"file_id": entry.record.file_id}, include=["metadatas"])
    rows = zip(found["ids"], found["metadatas"] or (), strict=True)
    current = sorted((row["index"], row["chunk_id"], name) for name, row in rows if in_force(row, entry))
    return [name for _, _, name in current[offset : offset + limit]]


def named_chunks(store: ChromaCollections, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
    """Return the chunks in force that have one of these ids."""
    entry = entry_in(store, file_id)
    asked: dict[str, Any] = {"$and": [{"file_id": file_id}, {"chunk_id": {"$in": list(chunk_ids)}}]}
    found = store.chunks.get(where=asked, include=["metadatas", "documents"])
    require_unmoved(store, file_id, entry)
    rows = zip(found["metadatas"] or (), found["documents"] or (), strict=True)
    return {row["chunk_id"]: chunk_of(read(row, text)) for row, text in rows if in_force(row, entry)}


def chunks_of_scope(store: ChromaCollections, *, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
    """Return the chunks in force of a scope's files that have one of these ids."""
    asked: dict[str, Any] = {"$and": [{"scope": scope_key(scope)}, {"chunk_id": {"$in": list(chunk_ids)}}]}
    found = store.chunks.get(where=asked, include=["metadatas", "documents"])
    rows = list(zip(found["metadatas"] or (), found["documents"] or (), strict=True))
    entries = entries_in(store, sorted({row["file_id"] for row, _ in rows}))
    return [chunk_of(read(row, text)) for row, text in rows if in_force(row, entries[row["file_id"]])]


def vectors_of(store: ChromaCollections, *, model: str, hashes: Sequence[str]) -> dict[str, Vector]:
    """Return the sound vectors of one model by text hash; rows of unfinished publications count too."""
    import numpy as np

    found = store.chunks.get(where={"text_sha256": {"$in": list(hashes)}}, include=["metadatas"])
    # A text that occurs in a thousand files has a thousand rows: one of them is read.
    chosen: dict[str, str] = {}
    for name, row in sorted(zip(found["ids"], found["metadatas"] or (), strict=True), key=lambda pair: pair[0]):
        if row["model"] == model:
            chosen.setdefault(row["text_sha256"], name)
    hash_of = {name: text_sha256 for text_sha256, name in chosen.items()}
    vectors: dict[str, Vector] = {}
    for names in batches(hash_of, _PAGE):
        answer = store.chunks.get(ids=names, include=["metadatas", "embeddings"])
        rows, embeddings = answer["metadatas"] or (), answer["embeddings"]
        for name, row, embedding in zip(answer["ids"], rows, () if embeddings is None else embeddings, strict=True):
            vector = np.asarray(embedding, dtype=np.float32)
            if fault(vector, dimension=row["dimension"]) is None:
                vectors[hash_of[name]] = vector
    return vectors

"""Read the rows in force of a small scope from an open Chroma store, for the file that searches compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.stores.chroma.rows import ChromaEntry, entry_of, in_force, read
from ingest_assets.stores.chroma.small_scopes.scope_rows import ComparedRow, ScopeRows, compared, encoded, not_compared

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.client import ChromaCollections

MOST_ROWS = 5_000
"""At 384 numbers these are compared in 5 ms. Of a scope with more the index finds as many rows in 20 ms."""
_FILES = 50
"""Files whose rows are read at once."""


def has_few_files(store: ChromaCollections, scope: str, *, most: int) -> bool:
    """Tell whether a scope has so many files at most; no entry is read."""
    return len(store.files.get(where={"scope": scope}, limit=most + 1, include=[])["ids"]) <= most


def small_scope_entries(store: ChromaCollections, scope: str, *, most_files: int) -> dict[str, ChromaEntry] | None:
    """Read the entries of a scope's files that have rows in force; None where the scope is not small.

    Args:
        store: the open store.
        scope: the scope's key.
        most_files: files of the ledger that are read, each in half a millisecond; a scope with more is not small.
    """
    found = store.files.get(where={"scope": scope}, limit=most_files + 1, include=["metadatas"])["metadatas"] or ()
    if len(found) > most_files:
        return None
    entries = [entry for entry in map(entry_of, found) if entry.generation and not entry.gone]
    if sum(entry.record.chunks for entry in entries) > MOST_ROWS:
        return None
    return {entry.record.file_id: entry for entry in entries}


def publications_of(entries: Mapping[str, ChromaEntry]) -> dict[str, str]:
    """Return the publication in force of each file."""
    return {file_id: entry.token for file_id, entry in entries.items()}


def content_of(
    store: ChromaCollections, entries: Mapping[str, ChromaEntry], *, former: ScopeRows | None, written_for: str
) -> bytes:
    """Return the content of a scope's file; rows of files that were not published since are taken from the former one.

    Args:
        store: the open store.
        entries: the scope's entries, as `small_scope_entries` returns them.
        former: an earlier file of the scope.
        written_for: what the file is for.
    """
    publications = publications_of(entries)
    rows: list[ComparedRow] = former.of_publications(publications) if former is not None else []
    changed = [file_id for file_id, token in publications.items() if former is None or not former.has(file_id, token)]
    for file_ids in batches(changed, _FILES):
        rows += _rows(store, file_ids, entries)
    if len({each.vector.size for each in rows}) > 1:
        return not_compared(written_for=written_for)
    return encoded(rows, publications, written_for=written_for)


def _rows(store: ChromaCollections, file_ids: Sequence[str], entries: Mapping[str, ChromaEntry]) -> list[ComparedRow]:
    import numpy as np

    found = store.chunks.get(
        where={"file_id": {"$in": list(file_ids)}}, include=["metadatas", "documents", "embeddings"]
    )
    vectors = found["embeddings"]
    rows = zip(found["metadatas"] or (), found["documents"] or (), () if vectors is None else vectors, strict=True)
    ours = [
        compared(read(row, text), np.asarray(vector, dtype=np.float32))
        for row, text, vector in rows
        if in_force(row, entries.get(str(row.get("file_id", ""))))
    ]
    return [each for each in ours if each is not None]

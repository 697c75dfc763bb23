"""List rows of a Chroma store page by page: all rows of a file, and the files that have rows at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ingest_assets.batches import batches
from ingest_assets.ledger_records import StoredChunk
from ingest_assets.stores.chroma.access import settled
from ingest_assets.stores.chroma.collections import is_our_row
from ingest_assets.stores.chroma.ledger import entry_in
from ingest_assets.stores.chroma.read import places, row_names
from ingest_assets.stores.chroma.rows import in_force, owner, read
from ingest_assets.stores.rows import stored_of

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.chroma.access import ChromaAccess
    from ingest_assets.stores.chroma.client import ChromaCollections

PAGE = 500
"""Rows read at once with their vectors: 2 MB at 384 dimensions with their text."""
_IDS = 5_000
"""Row ids read at once; Chroma's own largest batch is 5,461."""


def rows_of(access: ChromaAccess, file_id: str) -> Iterator[StoredChunk]:
    """Yield every row of a file in document order; rows with a damaged place come last."""
    left = set(settled(access, partial(row_names, file_id=file_id)))
    # Places of the generation in force are below the number of rows; rows with another place come with the rest.
    for first in range(0, len(left), PAGE):
        rows = settled(access, partial(_at_places, file_id=file_id, first=first))
        left.difference_update(row.name for row in rows)
        yield from rows
    for names in batches(sorted(left), PAGE):
        yield from settled(access, partial(_named, file_id=file_id, names=names))


def owners_after(access: ChromaAccess, *, after: str, limit: int) -> list[str]:
    """List in order the file_ids after `after` that the ledger or any row names."""
    known: list[str] = settled(access, lambda store: store.files.get(where={"gone": {"$gte": 0}}, include=[])["ids"])
    hashes = {owner(file_id) for file_id in known}
    found, offset = set(known), 0
    while names := settled(access, partial(_page_of_names, offset=offset)):
        ours = filter(is_our_row, names)
        unlisted = {name.partition("/")[0]: name for name in ours if name.partition("/")[0] not in hashes}
        if unlisted:
            found |= settled(access, partial(_file_ids, names=list(unlisted.values())))
            hashes |= set(unlisted)
        offset += len(names)
    return sorted(file_id for file_id in found if file_id > after)[:limit]


def _at_places(store: ChromaCollections, *, file_id: str, first: int) -> list[StoredChunk]:
    found = store.chunks.get(where=places(file_id, first, first + PAGE), include=["metadatas", "documents"])
    return _stored(store, file_id, found)


def _named(store: ChromaCollections, *, file_id: str, names: Sequence[str]) -> list[StoredChunk]:
    return _stored(store, file_id, store.chunks.get(ids=list(names), include=["metadatas", "documents"]))


def _stored(store: ChromaCollections, file_id: str, found: dict[str, Any]) -> list[StoredChunk]:
    entry = entry_in(store, file_id)
    vectors = _vectors_by_name(store, found["ids"])
    rows = zip(found["ids"], found["metadatas"], found["documents"], strict=True)
    stored = [
        stored_of(read(row, text or ""), name=name, vector=vectors.get(name), in_force=in_force(row, entry))
        for name, row, text in rows
        if is_our_row(name)
    ]
    return sorted(stored, key=lambda row: (row.chunk.index, row.name))


def _page_of_names(store: ChromaCollections, *, offset: int) -> list[str]:
    names: list[str] = store.chunks.get(limit=_IDS, offset=offset, include=[])["ids"]
    return names


def _file_ids(store: ChromaCollections, *, names: list[str]) -> set[str]:
    return {
        str(row.get("file_id", "")) for row in store.chunks.get(ids=names, include=["metadatas"])["metadatas"] or ()
    }


def _vectors_by_name(store: ChromaCollections, names: list[str]) -> dict[str, Vector]:
    from chromadb.errors import InternalError

    if not names:
        return {}
    try:
        embeddings = store.chunks.get(ids=names, include=["embeddings"])
    except InternalError:  # one row without a vector makes the whole answer fail
        if len(names) == 1:
            return {}
        half = len(names) // 2
        left = _vectors_by_name(store, names[:half])
        return left | _vectors_by_name(store, names[half:])
    vectors = embeddings["embeddings"]
    return dict(zip(embeddings["ids"], () if vectors is None else vectors, strict=True))

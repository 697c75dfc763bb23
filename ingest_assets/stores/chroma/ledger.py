"""Read and write the entries of the ledger in Chroma: one row of the collection `files` for each file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.stores.chroma.client import RowsMoved
from ingest_assets.stores.chroma.rows import ChromaEntry, entry_of, ledger_row, scope_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest_assets.stores.chroma.access import ChromaAccess
    from ingest_assets.stores.chroma.client import ChromaCollections


def entry_in(store: ChromaCollections, file_id: str) -> ChromaEntry | None:
    """Read a file's entry, also where its deletion has begun."""
    rows = store.files.get(ids=[file_id], include=["metadatas"])["metadatas"]
    return entry_of(rows[0]) if rows else None


def entries_in(store: ChromaCollections, file_ids: Sequence[str]) -> dict[str, ChromaEntry | None]:
    """Read the entries of several files; None for those that have none."""
    entries: dict[str, ChromaEntry | None] = dict.fromkeys(file_ids)
    if file_ids:
        answer = store.files.get(ids=list(file_ids), include=["metadatas"])
        for file_id, row in zip(answer["ids"], answer["metadatas"] or (), strict=True):
            entries[file_id] = entry_of(row)
    return entries


def require_unmoved(store: ChromaCollections, file_id: str, before: ChromaEntry | None) -> None:
    """Raise RowsMoved where the file was published since `before` was read."""
    after = entry_in(store, file_id)
    if (after and after.token) != (before and before.token):
        raise RowsMoved(f"{file_id} was published in the meantime")


def page_of_records(store: ChromaCollections, scope: Scope | None, *, limit: int, offset: int) -> list[FileRecord]:
    """List records by file_id; all users' without a scope."""
    here: dict[str, Any] = {"gone": 0} if scope is None else {"$and": [{"scope": scope_key(scope)}, {"gone": 0}]}
    # Chroma returns ids in the order of their first write, so all are listed to give a page by name.
    ids = sorted(store.files.get(where=here, include=[])["ids"])[offset : offset + limit]
    rows = store.files.get(ids=ids, include=["metadatas"])["metadatas"] if ids else []
    return sorted((entry_of(row).record for row in rows or ()), key=lambda record: record.file_id)


def projects_of(store: ChromaCollections, user_id: str) -> list[str]:
    """List the projects of a user in order."""
    rows = store.files.get(where={"$and": [{"user_id": user_id}, {"gone": 0}]}, include=["metadatas"])["metadatas"]
    return sorted({str(row["project_id"]) for row in rows or ()})


def ledger_entry(access: ChromaAccess, file_id: str) -> ChromaEntry | None:
    """Read a file's entry in a turn of its own, also where its deletion has begun."""
    with access.reading() as store:
        return entry_in(store, file_id)


def write_entry(access: ChromaAccess, entry: ChromaEntry, *, known: bool) -> None:
    """Write an entry in one write; `known`: the file has one already."""
    row, file_id = ledger_row(entry), entry.record.file_id
    with access.writing() as store:
        if access.scopes is not None:  # before the write, so that no kill leaves what is wrong
            access.scopes.drop(row["scope"], deletes=entry.gone)
        if known:
            store.files.update(ids=[file_id], metadatas=[row])
        else:
            store.files.add(ids=[file_id], embeddings=[[1.0]], metadatas=[row])  # Chroma keeps no row without a vector

"""A file_id in, its rows and its ledger entry out of the store, or a failure noted in it.

Rows are removed by name, from a list that was made under a claim that still holds (`atlas_ledger.py`): so rows that a
later attempt has written are never among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import FileRecord
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.entry import Entry, entry_of, record_fields, record_of
from ingest_assets.stores.atlas.ownership import OUR_ROWS
from ingest_assets.stores.contract import require_generation

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.stores.atlas.client import Handle

NAMES = 1000
"""Names per delete: 80 kB."""


def remove(handle: Handle, file_id: str, *, expecting: int | None) -> int:
    """Remove a file's rows and entry; return how many rows went.

    The entry is marked first, which takes every row out of force, and removed last: killed in between, the file is gone
    for readers and a second call removes the rest.
    """
    row = ledger.find(handle, file_id)
    require_generation(file_id, record_of(row) if row else None, expecting=expecting)
    condemned = ledger.condemn(handle, file_id, expecting=expecting)
    if row is not None and condemned is None:
        raise ledger.overtaken(handle, file_id)
    names = row_names(handle, file_id)
    ledger.still_ours(handle, file_id, condemned)  # or rows of an attempt that began since would be among the names
    remove_rows(handle, names)
    if condemned is not None:
        ledger.forget(handle, condemned)
    return len(names)


def note(handle: Handle, record: FileRecord) -> FileRecord:
    """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
    from pymongo import ReturnDocument

    said = record_fields(record)
    for stays in ("generation", "chunks", "model", "dimension"):
        del said[stays]
    shown = {"_id": {"$eq": record.file_id}, "gone": False}
    row = handle.files.find_one_and_update(shown, {"$set": said}, return_document=ReturnDocument.AFTER)
    if row is None:
        return _first_note(handle, replace(record, generation=0, chunks=0))
    kept = record_of(row)
    assert kept is not None
    return kept


def _first_note(handle: Handle, record: FileRecord) -> FileRecord:
    claimed = entry_of(ledger.claim(handle, record.file_id))
    names_in_force(handle, claimed)
    ledger.keep(handle, replace(claimed, floor=0, dead=frozenset(), going=frozenset(), untidy=False), record)
    return record


def names_in_force(handle: Handle, claimed: Entry) -> list[str]:
    """Remove a claimed file's rows that are not in force, and return the names of those that are."""
    names = row_names(handle, claimed.file_id)
    ledger.still_ours(handle, claimed.file_id, claimed)  # or rows of a later attempt would be among the stray
    in_force = [name for name in names if claimed.holds(name)]
    remove_rows(handle, [name for name in names if not claimed.holds(name)])
    return in_force


def row_names(handle: Handle, file_id: str) -> list[str]:
    """Return the names of all of a file's rows, in force or not."""
    found = handle.chunks.find({"file_id": {"$eq": file_id}, **OUR_ROWS}, {"_id": 1}, batch_size=10_000)
    return [row["_id"] for row in found]


def remove_rows(handle: Handle, names: Sequence[str], session: ClientSession | None = None) -> None:
    """Delete rows by name."""
    for batch in batches(names, NAMES):
        handle.chunks.delete_many({"_id": {"$in": batch}}, session=session)

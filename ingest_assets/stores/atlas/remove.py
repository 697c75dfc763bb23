"""Remove a file from the store, or note in its entry that an attempt failed.

Rows are removed by name, from a list that was made under a claim that still holds (`ledger.py`), so rows that a later
publication has written are never among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import FileRecord
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.entry import MongoEntry, entry_of, record_fields, record_of
from ingest_assets.stores.atlas.ownership import OUR_ROWS
from ingest_assets.stores.contract import require_generation
from ingest_assets.stores.incoming import KEPT_BY_NOTE, noted

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.stores.atlas.client import MongoCollections

NAMES = 1000
"""Names per delete: 80 kB."""


def remove(mongo: MongoCollections, file_id: str, *, expecting: int | None) -> int:
    """Remove a file's rows and entry; return the number of rows removed.

    The entry is marked first, which makes every row invisible, and removed last. Killed in between, the file is gone
    for readers, and a second call removes the rest.
    """
    row = ledger.find(mongo, file_id)
    require_generation(file_id, record_of(row) if row else None, expecting=expecting)
    hidden = ledger.hide(mongo, file_id, expecting=expecting)
    if row is not None and hidden is None:
        raise ledger.overtaken(mongo, file_id)
    names = row_names(mongo, file_id)
    ledger.still_ours(mongo, file_id, hidden)  # otherwise rows of a later publication would be among the names
    remove_rows(mongo, names)
    if hidden is not None:
        ledger.forget(mongo, hidden)
    return len(names)


def note(mongo: MongoCollections, record: FileRecord) -> FileRecord:
    """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
    from pymongo import ReturnDocument

    changed = {name: value for name, value in record_fields(record).items() if name not in KEPT_BY_NOTE}
    shown = {"_id": {"$eq": record.file_id}, "gone": False}
    row = mongo.files.find_one_and_update(shown, {"$set": changed}, return_document=ReturnDocument.AFTER)
    if row is None:
        return _first_note(mongo, noted(record, None))
    kept = record_of(row)
    assert kept is not None
    return kept


def _first_note(mongo: MongoCollections, record: FileRecord) -> FileRecord:
    claimed = entry_of(ledger.claim(mongo, record.file_id))
    names_in_force(mongo, claimed)
    ledger.keep(mongo, replace(claimed, floor=0, dead=frozenset(), going=frozenset(), untidy=False), record)
    return record


def names_in_force(mongo: MongoCollections, claimed: MongoEntry) -> list[str]:
    """Remove a claimed file's rows that are not in force, and return the names of those that are."""
    names = row_names(mongo, claimed.file_id)
    ledger.still_ours(mongo, claimed.file_id, claimed)  # otherwise rows of a later publication would be removed
    in_force = [name for name in names if claimed.holds(name)]
    remove_rows(mongo, [name for name in names if not claimed.holds(name)])
    return in_force


def row_names(mongo: MongoCollections, file_id: str) -> list[str]:
    """Return the names of all of a file's rows, in force or not."""
    found = mongo.chunks.find({"file_id": {"$eq": file_id}, **OUR_ROWS}, {"_id": 1}, batch_size=10_000)
    return [row["_id"] for row in found]


def remove_rows(mongo: MongoCollections, names: Sequence[str], session: ClientSession | None = None) -> None:
    """Delete rows by name."""
    for batch in batches(names, NAMES):
        mongo.chunks.delete_many({"_id": {"$in": batch}}, session=session)

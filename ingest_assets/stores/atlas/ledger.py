"""A file_id in, its ledger entry out, changed by single writes only.

One document's write is atomic on every MongoDB, so the entry alone says what is in force (`atlas_entry.py`).

An attempt *claims* the file first: it counts up `claimed`, which is its generation, and everything that it does to the
entry later asks that nobody has claimed since. So of two attempts at one file the earlier one can neither come into
force nor harm the later one, whenever its last writes arrive; no lock has to be broken after a kill.

`scopes` counts publications: each announces itself once its rows are all there, no later than they come into force. It
is how a search that cannot be of one moment knows that nothing moved while it looked (`atlas_search.py`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.stores.atlas.entry import FIELDS, Entry, entry_of, record_fields, record_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES
from ingest_assets.stores.contract import Overtaken

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.stores.atlas.client import Handle, Row


def find(handle: Handle, file_id: str) -> Row | None:
    """Read a file's entry whole."""
    return handle.files.find_one({"_id": {"$eq": file_id}})


def entries(handle: Handle, where: Mapping[str, Any], session: ClientSession | None = None) -> Iterator[Entry]:
    """Yield the entries that have rows in force."""
    published = {**where, "gone": False, "generation": {"$gt": 0}}
    for row in handle.files.find(published, dict.fromkeys(FIELDS, 1), session=session, batch_size=1000):
        yield entry_of(row)


def page_of_records(handle: Handle, where: Mapping[str, Any], *, limit: int, offset: int) -> list[FileRecord]:
    """Return records by file_id."""
    if limit < 1:
        return []  # to MongoDB 0 means no limit
    found = handle.files.find({**where, **OUR_ENTRIES, "gone": False}).sort("_id", 1).skip(offset).limit(limit)
    return [record for row in found if (record := record_of(row)) is not None]


def claim(handle: Handle, file_id: str) -> Row:
    """Begin an attempt at a file; return its entry as it is then, whose `claimed` is the attempt's generation."""
    from pymongo import ReturnDocument

    fresh = {"incarnation": secrets.token_hex(8), "generation": 0, "floor": 0, "dead": [], "going": [], "untidy": False}
    row = handle.files.find_one_and_update(
        {"_id": {"$eq": file_id}},
        {"$inc": {"claimed": 1}, "$setOnInsert": fresh | {"gone": True}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None
    return row


def condemn(handle: Handle, file_id: str, *, expecting: int | None) -> Entry | None:
    """Claim a file and take it out of every reader's sight, in one write; None where there is no such file."""
    from pymongo import ReturnDocument

    expected: dict[str, Any] = {}
    if expecting is not None:
        none = {"$or": [{"gone": True}, {"generation": 0}]}
        expected = {"generation": expecting, "gone": False} if expecting else none
    row = handle.files.find_one_and_update(
        {"_id": {"$eq": file_id}, **expected},
        {"$inc": {"claimed": 1}, "$set": {"gone": True}},
        return_document=ReturnDocument.AFTER,
    )
    return entry_of(row) if row else None


def still_ours(handle: Handle, file_id: str, claimed: Entry | None) -> None:
    """Raise OutsideError where another attempt began after this one."""
    row = find(handle, file_id)
    now = entry_of(row) if row else None
    if (now and (now.incarnation, now.claimed)) != (claimed and (claimed.incarnation, claimed.claimed)):
        raise overtaken(handle, file_id)


def keep(handle: Handle, entry: Entry, record: FileRecord, *, session: ClientSession | None = None) -> None:
    """Write an entry with its record, which brings its rows into force.

    Raises:
        OutsideError: another attempt began since this one's claim.
    """
    ours = {
        "generation": entry.generation,
        "floor": entry.floor,
        "dead": sorted(entry.dead),
        "going": sorted(entry.going),
        "untidy": entry.untidy,
        "gone": False,
    }
    kept = handle.files.update_one(_claimed_by(entry), {"$set": record_fields(record) | ours}, session=session)
    if kept.matched_count != 1:
        raise overtaken(handle, entry.file_id)


def tidied(handle: Handle, entry: Entry) -> None:
    """Note that the rows that went are removed, unless something newer is in force by now."""
    current = {"_id": {"$eq": entry.file_id}, "incarnation": entry.incarnation, "generation": entry.generation}
    handle.files.update_one(current, {"$set": {"going": [], "untidy": False}})


def forget(handle: Handle, entry: Entry) -> None:
    """Remove an entry, unless another attempt has begun."""
    handle.files.delete_one(_claimed_by(entry))


def announce(handle: Handle, scope: Scope, *, session: ClientSession | None = None) -> None:
    """Count up a scope's publications: rows that are all there come into force, with this or right after it."""
    counted = {"$inc": {"publications": 1}}
    handle.scopes.update_one({"_id": _key(scope)}, counted, upsert=True, session=session)


def publications(handle: Handle, scope: Scope) -> int:
    """Return how many publications a scope has seen."""
    row = handle.scopes.find_one({"_id": _key(scope)})
    return int(row["publications"]) if row else 0


def overtaken(handle: Handle, file_id: str) -> Overtaken:
    """Say that another attempt has taken over."""
    return Overtaken(f"{file_id}: another attempt at it began at {handle.where} meanwhile; run again if it fails")


def _claimed_by(entry: Entry) -> dict[str, Any]:
    return {"_id": {"$eq": entry.file_id}, "incarnation": entry.incarnation, "claimed": entry.claimed}


def _key(scope: Scope) -> str:
    return json.dumps([scope.user_id, scope.project_id], ensure_ascii=False)

"""Read and write the entries of the ledger in MongoDB: one document of `files` for each file, changed by single writes.

The write of one document is atomic on every MongoDB, so the entry alone decides what is in force (`entry.py`).

A publication first *claims* the file: it increments `claimed`, which is its generation, and every later write of it to
the entry requires that no other publication has claimed the file since. So of two publications of one file the earlier
one can neither come into force nor harm the later one, whenever its last writes arrive. After a kill no lock has to be
broken.

`scopes` counts publications: each announces itself after all of its rows are written, and no later than they come into
force. So a search whose reads are not of one moment can see that nothing changed during it (`searching/search.py`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.stores.atlas.entry import FIELDS, MongoEntry, entry_of, record_fields, record_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES
from ingest_assets.stores.contract import Overtaken

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.stores.atlas.client import MongoCollections, Row


def find(mongo: MongoCollections, file_id: str) -> Row | None:
    """Read a file's entry whole."""
    return mongo.files.find_one({"_id": {"$eq": file_id}})


def entries(
    mongo: MongoCollections, where: Mapping[str, Any], session: ClientSession | None = None
) -> Iterator[MongoEntry]:
    """Yield the entries that have rows in force."""
    published = {**where, "gone": False, "generation": {"$gt": 0}}
    for row in mongo.files.find(published, dict.fromkeys(FIELDS, 1), session=session, batch_size=1000):
        yield entry_of(row)


def page_of_records(mongo: MongoCollections, where: Mapping[str, Any], *, limit: int, offset: int) -> list[FileRecord]:
    """List records by file_id."""
    if limit < 1:
        return []  # to MongoDB 0 means no limit
    found = mongo.files.find({**where, **OUR_ENTRIES, "gone": False}).sort("_id", 1).skip(offset).limit(limit)
    return [record for row in found if (record := record_of(row)) is not None]


def projects_of(mongo: MongoCollections, user_id: str) -> list[str]:
    """List the projects of a user in order."""
    there = {"user_id": {"$eq": user_id}, **OUR_ENTRIES, "gone": False}
    return sorted(str(project_id) for project_id in mongo.files.distinct("project_id", there))


def claim(mongo: MongoCollections, file_id: str) -> Row:
    """Begin a publication of a file; return its entry, whose `claimed` is the publication's generation."""
    from pymongo import ReturnDocument

    fresh = {"incarnation": secrets.token_hex(8), "generation": 0, "floor": 0, "dead": [], "going": [], "untidy": False}
    row = mongo.files.find_one_and_update(
        {"_id": {"$eq": file_id}},
        {"$inc": {"claimed": 1}, "$setOnInsert": fresh | {"gone": True}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None
    return row


def hide(mongo: MongoCollections, file_id: str, *, expecting: int | None) -> MongoEntry | None:
    """Claim a file and make its rows invisible, in one write; None if there is no such file."""
    from pymongo import ReturnDocument

    expected: dict[str, Any] = {}
    if expecting is not None:
        none = {"$or": [{"gone": True}, {"generation": 0}]}
        expected = {"generation": expecting, "gone": False} if expecting else none
    row = mongo.files.find_one_and_update(
        {"_id": {"$eq": file_id}, **expected},
        {"$inc": {"claimed": 1}, "$set": {"gone": True}},
        return_document=ReturnDocument.AFTER,
    )
    return entry_of(row) if row else None


def still_ours(mongo: MongoCollections, file_id: str, claimed: MongoEntry | None) -> None:
    """Raise Overtaken if another publication began after this one."""
    row = find(mongo, file_id)
    now = entry_of(row) if row else None
    if (now and (now.incarnation, now.claimed)) != (claimed and (claimed.incarnation, claimed.claimed)):
        raise overtaken(mongo, file_id)


def keep(
    mongo: MongoCollections, entry: MongoEntry, record: FileRecord, *, session: ClientSession | None = None
) -> None:
    """Write an entry with its record, which brings its rows into force.

    Raises:
        Overtaken: another publication began since this one's claim.
    """
    ours = {
        "generation": entry.generation,
        "floor": entry.floor,
        "dead": sorted(entry.dead),
        "going": sorted(entry.going),
        "untidy": entry.untidy,
        "gone": False,
    }
    kept = mongo.files.update_one(_claimed_by(entry), {"$set": record_fields(record) | ours}, session=session)
    if kept.matched_count != 1:
        raise overtaken(mongo, entry.file_id)


def note_removed(mongo: MongoCollections, entry: MongoEntry) -> None:
    """Note that the replaced rows are removed, unless a newer generation is in force by now."""
    current = {"_id": {"$eq": entry.file_id}, "incarnation": entry.incarnation, "generation": entry.generation}
    mongo.files.update_one(current, {"$set": {"going": [], "untidy": False}})


def forget(mongo: MongoCollections, entry: MongoEntry) -> None:
    """Remove an entry, unless another publication has begun."""
    mongo.files.delete_one(_claimed_by(entry))


def announce(mongo: MongoCollections, scope: Scope, *, session: ClientSession | None = None) -> None:
    """Increment the number of a scope's publications: rows that are all written come into force now or right after."""
    counted = {"$inc": {"publications": 1}}
    mongo.scopes.update_one({"_id": _key(scope)}, counted, upsert=True, session=session)


def publications(mongo: MongoCollections, scope: Scope) -> int:
    """Return the number of publications in a scope."""
    row = mongo.scopes.find_one({"_id": _key(scope)})
    return int(row["publications"]) if row else 0


def overtaken(mongo: MongoCollections, file_id: str) -> Overtaken:
    """Return the error for a publication that another one has overtaken."""
    return Overtaken(f"{file_id}: another publication of it began at {mongo.where}; run again if that one fails")


def _claimed_by(entry: MongoEntry) -> dict[str, Any]:
    return {"_id": {"$eq": entry.file_id}, "incarnation": entry.incarnation, "claimed": entry.claimed}


def _key(scope: Scope) -> str:
    return json.dumps([scope.user_id, scope.project_id], ensure_ascii=False)

"""Read chunks, rows and vectors from an open space of MongoDB; each answer is a consistent snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord, Scope, StoredChunk
from ingest_assets.records import Chunk
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.entry import MongoEntry, record_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES, OUR_ROWS
from ingest_assets.stores.atlas.rows import stored_chunk_of, unpacked, within
from ingest_assets.stores.rows import chunk_of
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import MongoCollections

_LOOKS = 100
"""Reads of rows that a server is changing; a change that a read can meet lasts milliseconds."""
_PAUSE_S = 0.02
_PASSING = frozenset({239, 246})
"""The server no longer has that moment, or its collections were just being made: read again."""
_ROWS = 200
"""Rows fetched at once with text and vector: some 1 MB."""

T = TypeVar("T")


def settled(
    mongo: MongoCollections, where: Mapping[str, Any], look: Callable[[dict[str, MongoEntry], ClientSession | None], T]
) -> T:
    """Read rows, and the entries that decide what is in force, as they are at one moment.

    If the server has no snapshot reads, an answer is used only if no entry has changed during it: the rows of a
    generation are written before it comes into force and stay until the next one is, so all of them were there.
    """
    from pymongo.errors import OperationFailure

    for _ in range(_LOOKS):
        try:
            with mongo.moment() as session:
                entries = _by_file(mongo, where, session)
                answer = look(entries, session)
                if session is not None or _stamps(entries) == _stamps(_by_file(mongo, where, None)):
                    return answer
        except OperationFailure as error:
            if error.code not in _PASSING:
                raise
        time.sleep(_PAUSE_S)
    raise OutsideError(f"MongoDB at {mongo.where}: the rows changed {_LOOKS} times while they were read; try again")


def page_of_chunks(mongo: MongoCollections, file_id: str, *, limit: int, offset: int) -> list[Chunk]:
    """Return the chunks in force from `offset` on, by index, then by chunk id."""

    def look(entries: dict[str, MongoEntry], session: ClientSession | None) -> list[Chunk]:
        if file_id not in entries or limit < 1:
            return []
        found = mongo.chunks.find(entries[file_id].rows(), {"embedding": 0}, session=session, batch_size=_ROWS)
        return [chunk_of(row) for row in found.sort({"index": 1, "_id": 1}).skip(offset).limit(limit)]

    return settled(mongo, _only(file_id), look)


def named_chunks(mongo: MongoCollections, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
    """Return the chunks in force that have one of these ids."""

    def look(entries: dict[str, MongoEntry], session: ClientSession | None) -> dict[str, Chunk]:
        if file_id not in entries:
            return {}
        where = {**entries[file_id].rows(), "chunk_id": {"$in": list(chunk_ids)}}
        found = mongo.chunks.find(where, {"embedding": 0}, session=session, batch_size=_ROWS)
        return {row["chunk_id"]: chunk_of(row) for row in found}

    return settled(mongo, _only(file_id), look)


def chunks_of_scope(mongo: MongoCollections, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
    """Return the chunks in force of a scope's files that have one of these ids."""
    where = {**within(scope), "chunk_id": {"$in": list(chunk_ids)}}
    named = {"_id": {"$in": mongo.chunks.distinct("file_id", where)}}

    def look(entries: dict[str, MongoEntry], session: ClientSession | None) -> list[Chunk]:
        found = mongo.chunks.find(where, {"embedding": 0}, session=session, batch_size=_ROWS) if entries else ()
        in_force = (row for row in found if row["file_id"] in entries and entries[row["file_id"]].holds(row["_id"]))
        return [chunk_of(row) for row in in_force]

    return settled(mongo, named, look)


def rows_of(
    mongo: MongoCollections, file_id: str, entry: MongoEntry | None, session: ClientSession | None = None
) -> Iterator[StoredChunk]:
    """Yield every row of a file, by index and then by name, as the entry sees it."""
    found = mongo.chunks.find({"file_id": {"$eq": file_id}, **OUR_ROWS}, session=session, batch_size=_ROWS)
    for row in found.sort({"index": 1, "_id": 1}):
        yield stored_chunk_of(row, in_force=entry is not None and entry.holds(row["_id"]))


def rows_at_rest(
    mongo: MongoCollections, file_id: str, look: Callable[[FileRecord | None, Iterator[StoredChunk]], T]
) -> T:
    """Call `look` with a file's record and all of its rows, as they are at one moment."""

    def looked(entries: dict[str, MongoEntry], session: ClientSession | None) -> T:
        row = mongo.files.find_one(_only(file_id), session=session)
        record = record_of(row) if row else None
        return look(record, rows_of(mongo, file_id, entries.get(file_id), session))

    return settled(mongo, _only(file_id), looked)


def vectors_of(mongo: MongoCollections, *, model: str, hashes: Sequence[str]) -> dict[str, Vector]:
    """Return the sound vectors of one model by text hash; rows of unfinished publications count too."""
    # A text that occurs in a thousand files has a thousand rows: the server sends one of them.
    pipeline: list[dict[str, Any]] = [
        {"$match": {"text_sha256": {"$in": list(hashes)}, "model": {"$eq": model}}},
        {
            "$group": {
                "_id": "$text_sha256",
                "embedding": {"$first": "$embedding"},
                "dimension": {"$first": "$dimension"},
            }
        },
    ]
    vectors: dict[str, Vector] = {}
    for row in mongo.chunks.aggregate(pipeline):
        vector = unpacked(row.get("embedding"))
        if vector is not None and fault(vector, dimension=row["dimension"]) is None:
            vectors[row["_id"]] = vector
    return vectors


def owners_after(mongo: MongoCollections, after: str, *, limit: int) -> list[str]:
    """List in order the file_ids after `after` that the ledger or any row names.

    Those of the ledger are read at once. Rows without an entry are rare, so the index is asked for the next row of a
    file that the ledger does not name, instead of for all of its rows.
    """
    found = mongo.files.find({"_id": {"$gt": after}, **OUR_ENTRIES}, {"_id": 1}).sort("_id", 1).limit(limit)
    listed = [row["_id"] for row in found]
    unlisted: list[str] = []
    last = after
    while len(unlisted) < limit:
        where = {"file_id": {"$gt": last, "$nin": listed}, **OUR_ROWS}
        row = mongo.chunks.find_one(where, {"_id": 0, "file_id": 1}, sort=[("file_id", 1)])
        if row is None or (len(listed) == limit and row["file_id"] > listed[-1]):
            break
        last = row["file_id"]
        unlisted.append(last)
    return sorted([*listed, *unlisted])[:limit]


def _by_file(mongo: MongoCollections, where: Mapping[str, Any], session: ClientSession | None) -> dict[str, MongoEntry]:
    return {entry.file_id: entry for entry in ledger.entries(mongo, where, session)}


def _stamps(entries: Mapping[str, MongoEntry]) -> dict[str, tuple[str, int]]:
    return {file_id: entry.stamp for file_id, entry in entries.items()}


def _only(file_id: str) -> dict[str, Any]:
    return {"_id": {"$eq": file_id}}

"""An open space in, what its rows say out: pages of chunks, all rows, vectors by text, who owns rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord, StoredChunk
from ingest_assets.records import Chunk
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.entry import Entry, record_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES, OUR_ROWS
from ingest_assets.stores.atlas.rows import stored_chunk_of, unpacked
from ingest_assets.stores.rows import chunk_of
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import Handle

_LOOKS = 100
"""Looks at rows that a server is changing; what a look can meet is over in milliseconds."""
_PAUSE_S = 0.02
_PASSING = frozenset({239, 246})
"""The moment is too old for the server by now, or its collections were being made: look again."""
_ROWS = 200
"""Rows fetched at once with text and vector: some 1 MB."""

T = TypeVar("T")


def settled(handle: Handle, where: Mapping[str, Any], look: Callable[[dict[str, Entry], ClientSession | None], T]) -> T:
    """Look at rows and at the entries that say what is in force, as they are at one moment.

    Where the server has no reads of one moment, a look counts only if no entry has moved meanwhile: the rows of a
    generation are there before it comes into force and until the next one is, so then all of them were there.
    """
    from pymongo.errors import OperationFailure

    for _ in range(_LOOKS):
        try:
            with handle.moment() as session:
                entries = _by_file(handle, where, session)
                answer = look(entries, session)
                if session is not None or _stamps(entries) == _stamps(_by_file(handle, where, None)):
                    return answer
        except OperationFailure as error:
            if error.code not in _PASSING:
                raise
        time.sleep(_PAUSE_S)
    raise OutsideError(f"MongoDB at {handle.where}: what was read changed {_LOOKS} times meanwhile; try again")


def page_of_chunks(handle: Handle, file_id: str, *, limit: int, offset: int) -> list[Chunk]:
    """Return the chunks in force from `offset` on, by index, then by chunk id."""

    def look(entries: dict[str, Entry], session: ClientSession | None) -> list[Chunk]:
        if file_id not in entries or limit < 1:
            return []
        found = handle.chunks.find(entries[file_id].rows(), {"embedding": 0}, session=session, batch_size=_ROWS)
        return [chunk_of(row) for row in found.sort({"index": 1, "_id": 1}).skip(offset).limit(limit)]

    return settled(handle, _only(file_id), look)


def named_chunks(handle: Handle, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
    """Return the chunks in force that have one of these ids."""

    def look(entries: dict[str, Entry], session: ClientSession | None) -> dict[str, Chunk]:
        if file_id not in entries:
            return {}
        where = {**entries[file_id].rows(), "chunk_id": {"$in": list(chunk_ids)}}
        found = handle.chunks.find(where, {"embedding": 0}, session=session, batch_size=_ROWS)
        return {row["chunk_id"]: chunk_of(row) for row in found}

    return settled(handle, _only(file_id), look)


def rows_of(
    handle: Handle, file_id: str, entry: Entry | None, session: ClientSession | None = None
) -> Iterator[StoredChunk]:
    """Yield every row of a file, by index and then by name, as the entry sees it."""
    found = handle.chunks.find({"file_id": {"$eq": file_id}, **OUR_ROWS}, session=session, batch_size=_ROWS)
    for row in found.sort({"index": 1, "_id": 1}):
        yield stored_chunk_of(row, in_force=entry is not None and entry.holds(row["_id"]))


def rows_at_rest(handle: Handle, file_id: str, look: Callable[[FileRecord | None, Iterator[StoredChunk]], T]) -> T:
    """Show a file's record and all of its rows, as they are at one moment."""

    def looked(entries: dict[str, Entry], session: ClientSession | None) -> T:
        row = handle.files.find_one(_only(file_id), session=session)
        record = record_of(row) if row else None
        return look(record, rows_of(handle, file_id, entries.get(file_id), session))

    return settled(handle, _only(file_id), looked)


def vectors_of(handle: Handle, *, model: str, hashes: Sequence[str]) -> dict[str, Vector]:
    """Return the sound vectors of one model by text hash, those of unfinished publications too."""
    # A text that stands in a thousand files has a thousand rows: the server sends one of them.
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
    for row in handle.chunks.aggregate(pipeline):
        vector = unpacked(row.get("embedding"))
        if vector is not None and fault(vector, dimension=row["dimension"]) is None:
            vectors[row["_id"]] = vector
    return vectors


def owners_after(handle: Handle, after: str, *, limit: int) -> list[str]:
    """List the file_ids behind `after` that the ledger or any row names.

    The ledger's are read at once. Rows without an entry are rare, so the index is asked for a row of none of those,
    from one such file to the next, rather than for all of its rows.
    """
    found = handle.files.find({"_id": {"$gt": after}, **OUR_ENTRIES}, {"_id": 1}).sort("_id", 1).limit(limit)
    listed = [row["_id"] for row in found]
    strangers: list[str] = []
    last = after
    while len(strangers) < limit:
        where = {"file_id": {"$gt": last, "$nin": listed}, **OUR_ROWS}
        row = handle.chunks.find_one(where, {"_id": 0, "file_id": 1}, sort=[("file_id", 1)])
        if row is None or (len(listed) == limit and row["file_id"] > listed[-1]):
            break
        last = row["file_id"]
        strangers.append(last)
    return sorted([*listed, *strangers])[:limit]


def _by_file(handle: Handle, where: Mapping[str, Any], session: ClientSession | None) -> dict[str, Entry]:
    return {entry.file_id: entry for entry in ledger.entries(handle, where, session)}


def _stamps(entries: Mapping[str, Entry]) -> dict[str, tuple[str, int]]:
    return {file_id: entry.stamp for file_id, entry in entries.items()}


def _only(file_id: str) -> dict[str, Any]:
    return {"_id": {"$eq": file_id}}

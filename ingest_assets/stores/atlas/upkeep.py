"""An open space in, kept in order: collections and indexes made, rows flagged, space given back, spaces switched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Flags
from ingest_assets.stores.atlas.errors import said_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES, OUR_ROWS, drop_ours

if TYPE_CHECKING:
    from ingest_assets.stores.atlas.client import Handle
    from ingest_assets.stores.atlas.search_index import SearchIndex

_BATCH = 1000
_COMPACT_S = 3600.0
"""A minute for some ten gigabytes; longer than any other request."""
_CHUNK_INDEXES = {
    # With the name and the generation in it, this one alone says which rows of a file there are and are in force.
    "file": ["file_id", "index", "_id", "generation"],
    "chunk": ["file_id", "chunk_id"],
    "scope": ["user_id", "project_id"],
    "text": ["text_sha256", "model"],
}
_FILE_INDEXES = {"scope": ["user_id", "project_id", "_id"]}


def make_collections(handle: Handle) -> None:
    """Make collections and their ordinary indexes.

    Raises:
        ConfigError: there are vectors of another length already.
    """
    from pymongo import IndexModel

    database = handle.chunks.database
    there = set(database.list_collection_names())
    for collection in (handle.chunks, handle.files, handle.scopes, handle.spaces):
        if collection.name not in there:
            _make(handle, collection.name)
    for collection, indexes in ((handle.chunks, _CHUNK_INDEXES), (handle.files, _FILE_INDEXES)):
        collection.create_indexes([IndexModel(fields, name=name) for name, fields in indexes.items()])
    filled = {"gone": False, "chunks": {"$gt": 0}}
    other = handle.files.find_one(filled | {"dimension": {"$ne": handle.dimension}}, {"dimension": 1})
    if other is not None:
        raise ConfigError(
            f"MongoDB at {handle.where} holds vectors of another length: {other['dimension']}, not {handle.dimension}. "
            "One store holds one model's vectors; choose an empty database (MONGO_DB) for the new model, or go back to "
            "the old one"
        )


def _make(handle: Handle, name: str) -> None:
    from pymongo.errors import CollectionInvalid

    try:
        handle.chunks.database.create_collection(name, check_exists=False)
    except CollectionInvalid:
        return  # two hosts start at once


def set_flags(handle: Handle, file_id: str, flags: Mapping[str, Flags]) -> int:
    """Set the flags of a file's rows, by name; return how many rows changed."""
    from pymongo import UpdateOne

    changed = 0
    for batch in batches(flags.items(), _BATCH):
        writes = [
            UpdateOne(
                {"_id": {"$eq": name}, "file_id": {"$eq": file_id}},
                {"$set": {"rag_strict": each.rag_strict, "source_only": each.source_only}},
            )
            for name, each in batch
        ]
        changed += handle.chunks.bulk_write(writes, ordered=False).modified_count
    return changed


def compact(handle: Handle) -> str:
    """Have the server give back the space of deleted rows; say what it did."""
    import pymongo
    from pymongo.errors import OperationFailure

    freed = 0
    for collection in (handle.chunks, handle.files):
        try:
            # A primary refuses without force: before MongoDB 4.4 it stood still for it, now readers go on.
            with pymongo.timeout(_COMPACT_S):
                answer = collection.database.command({"compact": collection.name, "force": True})
        except OperationFailure as error:
            return (
                f"nothing was compacted: MongoDB at {handle.where} does not do it ({said_of(error)}); on Atlas it "
                "takes a dedicated cluster and a user with dbAdmin. Space of deleted rows is used again for new ones"
            )
        freed += int(answer.get("bytesFreed", 0))
    return (
        f"MongoDB at {handle.where} compacted {handle.chunks.name} and {handle.files.name} with their indexes and gave "
        f"back {freed / 1e6:.1f} MB; it keeps its statistics itself"
    )


def current_space(handle: Handle) -> str:
    """Return the space in use; "" is the first."""
    row = handle.spaces.find_one({"_id": "current"})
    return str(row["space"]) if row else ""


def switch_space(handle: Handle, space: str) -> None:
    """Make another space the one in use, in one write."""
    handle.spaces.replace_one({"_id": "current"}, {"space": space}, upsert=True)


def drop_space(handle: Handle, space: str, *, index: SearchIndex | None) -> None:
    """Remove a space with all that is in it, its search index first: with the collection it would go a moment later."""
    if current_space(handle) == space:
        raise ValueError(f"the space {space!r} is in use at {handle.where}; switch to another one first")
    if index is not None:
        index.remove(handle)
    drop_ours(handle.chunks, OUR_ROWS)
    drop_ours(handle.files, OUR_ENTRIES)
    handle.scopes.drop()

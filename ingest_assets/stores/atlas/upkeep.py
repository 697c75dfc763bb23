"""Maintain a space in MongoDB: make collections and indexes, set flags, free space, switch and drop spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Flags
from ingest_assets.stores.atlas.errors import message_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES, OUR_ROWS, drop_ours
from ingest_assets.stores.atlas.view import make_view

if TYPE_CHECKING:
    from ingest_assets.stores.atlas.client import MongoCollections
    from ingest_assets.stores.atlas.searching.search_index import SearchIndex

_BATCH = 1000
_COMPACT_S = 3600.0
"""Some ten gigabytes take a minute; longer than any other request."""
_CHUNK_INDEXES = {
    # With name and generation in it, this index alone tells which rows a file has and which are in force.
    "file": ["file_id", "index", "_id", "generation"],
    "chunk": ["file_id", "chunk_id"],
    "scope": ["user_id", "project_id"],
    "named": ["user_id", "project_id", "chunk_id"],
    "text": ["text_sha256", "model"],
}
_FILE_INDEXES = {"scope": ["user_id", "project_id", "_id"]}


def make_collections(mongo: MongoCollections) -> None:
    """Make collections and their ordinary indexes.

    Raises:
        ConfigError: the store holds vectors of another length.
    """
    from pymongo import IndexModel

    database = mongo.chunks.database
    there = set(database.list_collection_names())
    for collection in (mongo.chunks, mongo.files, mongo.scopes, mongo.spaces):
        if collection.name not in there:
            _make(mongo, collection.name)
    for collection, indexes in ((mongo.chunks, _CHUNK_INDEXES), (mongo.files, _FILE_INDEXES)):
        collection.create_indexes([IndexModel(fields, name=name) for name, fields in indexes.items()])
    filled = {"gone": False, "chunks": {"$gt": 0}}
    other = mongo.files.find_one(filled | {"dimension": {"$ne": mongo.dimension}}, {"dimension": 1})
    if other is not None:
        raise ConfigError(
            f"MongoDB at {mongo.where} holds vectors of another length: {other['dimension']}, not {mongo.dimension}. "
            "One store holds one model's vectors; choose an empty database (MONGO_DB) for the new model, or go back to "
            "the old one"
        )


def _make(mongo: MongoCollections, name: str) -> None:
    from pymongo.errors import CollectionInvalid

    try:
        mongo.chunks.database.create_collection(name, check_exists=False)
    except CollectionInvalid:
        return  # two hosts start at once


def set_flags(mongo: MongoCollections, file_id: str, flags: Mapping[str, Flags]) -> int:
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
        changed += mongo.chunks.bulk_write(writes, ordered=False).modified_count
    return changed


def compact(mongo: MongoCollections) -> str:
    """Make the server free the space of deleted rows; return a sentence about what it did."""
    import pymongo
    from pymongo.errors import OperationFailure

    freed = 0
    for collection in (mongo.chunks, mongo.files):
        try:
            # A primary refuses without `force`: before MongoDB 4.4 it blocked readers, now they go on.
            with pymongo.timeout(_COMPACT_S):
                answer = collection.database.command({"compact": collection.name, "force": True})
        except OperationFailure as error:
            return (
                f"nothing was compacted: MongoDB at {mongo.where} does not do it ({message_of(error)}); on Atlas it "
                "takes a dedicated cluster and a user with dbAdmin. Space of deleted rows is used again for new ones"
            )
        freed += int(answer.get("bytesFreed", 0))
    return (
        f"MongoDB at {mongo.where} compacted {mongo.chunks.name} and {mongo.files.name} with their indexes and gave "
        f"back {freed / 1e6:.1f} MB; it keeps its statistics itself"
    )


def current_space(mongo: MongoCollections) -> str:
    """Return the space in use; "" is the first."""
    row = mongo.spaces.find_one({"_id": "current"})
    return str(row["space"]) if row else ""


def switch_space(mongo: MongoCollections, space: str) -> None:
    """Make another space the one in use, in one write; then let the view show it."""
    mongo.spaces.replace_one({"_id": "current"}, {"space": space}, upsert=True)
    make_view(mongo, space)


def drop_space(mongo: MongoCollections, space: str, *, index: SearchIndex | None) -> None:
    """Remove a space with all that is in it, its search index first: it would outlive the collection for a moment."""
    if current_space(mongo) == space:
        raise ValueError(f"the space {space!r} is in use at {mongo.where}; switch to another one first")
    if index is not None:
        index.remove(mongo)
    drop_ours(mongo.chunks, OUR_ROWS)
    drop_ours(mongo.files, OUR_ENTRIES)
    mongo.scopes.drop()

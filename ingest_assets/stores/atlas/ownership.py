"""Record whose files a MongoDB database holds, and tell this project's documents from other applications'.

The names `chunks` and `files` are common, so another application may have collections of these names in the same
database. If they are there before this project has written anything, the database is refused. If both have written into
one collection, which an earlier release allowed, only documents of our form are counted, changed or removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest_assets.stores.ownership import StoreOwner, foreign, owner_to_record

if TYPE_CHECKING:
    from ingest_assets.stores.atlas.client import MongoCollections, Row, Rows

OUR_ROWS: dict[str, Any] = {"_id": {"$regex": r"^[0-9a-f]{16}/[\s\S]*@[0-9]+$"}}
"""Documents of `chunks` that have a name as `rows.py` makes it."""
OUR_ENTRIES: dict[str, Any] = {"incarnation": {"$type": "string"}, "claimed": {"$type": "number"}}
"""Documents of `files` that are ledger entries."""
_KEY = {"_id": "bucket"}


def claim(mongo: MongoCollections, owner: StoreOwner | None, *, take_over: bool) -> None:
    """Record the bucket whose files the database holds.

    Raises:
        ConfigError: it holds another bucket's files, or another application's documents under our names.
    """
    row = mongo.owner.find_one(_KEY)
    if row is None:
        _refuse_foreign(mongo)
    if row is None and owner is not None:
        row = _first_claim(mongo, owner)
    recorded = StoreOwner(row["owner_id"], row["bucket"]) if row else None
    where = f"MongoDB at {mongo.where}"
    if (new := owner_to_record(recorded, owner, location=where, take_over=take_over)) is not None:
        mongo.owner.update_one(_KEY, {"$set": {"owner_id": new.id, "bucket": new.bucket}})


def _first_claim(mongo: MongoCollections, owner: StoreOwner) -> Row | None:
    """Write the owner unless another process was faster; return what is recorded now."""
    from pymongo import ReturnDocument

    wanted = {"owner_id": owner.id, "bucket": owner.bucket}
    return mongo.owner.find_one_and_update(
        _KEY, {"$setOnInsert": wanted}, upsert=True, return_document=ReturnDocument.AFTER
    )


def _refuse_foreign(mongo: MongoCollections) -> None:
    """Raise ConfigError where collections of our names hold documents, none of which is ours."""
    for collection, ours in ((mongo.chunks, OUR_ROWS), (mongo.files, OUR_ENTRIES)):
        if collection.find_one({}, {"_id": 1}) is not None and collection.find_one(ours, {"_id": 1}) is None:
            raise foreign(
                f"MongoDB at {mongo.where}",
                f"the collection {collection.name}",
                "Name a database of its own in MONGO_DB",
            )


def drop_ours(collection: Rows, ours: dict[str, Any]) -> None:
    """Remove a collection; where other applications have documents in it, only ours go."""
    if collection.find_one({"$nor": [ours]}, {"_id": 1}) is None:
        collection.drop()
    else:
        collection.delete_many(ours)

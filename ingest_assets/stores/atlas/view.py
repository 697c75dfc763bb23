"""Make the view `chunks_in_force`, for programs that read MongoDB by themselves and know nothing of generations.

While a file is published, `chunks` holds rows of two versions. The view begins with the ledger and looks up the rows of
each file by the entry of the file, which is read once. So it shows rows of one version of a file, never of two. User,
project and filename are those of the ledger, so that the server applies a filter on them before it looks up any row.

A read of the view is not of one moment. While rows that were replaced are being removed, it may show fewer of them. A
reader that must not miss any uses a session with `snapshot=True`, as this project does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest_assets.stores.ownership import foreign

if TYPE_CHECKING:
    from ingest_assets.stores.atlas.client import MongoCollections

VIEW = "chunks_in_force"
_OF_THE_FILE = ("user_id", "project_id", "filename")
_OF_THE_ROW = (
    *("_id", "file_id", "source", "media_type", "chunk_id", "index", "text", "text_sha256", "start", "end", "prefix"),
    *("pages", "section", "words", "model", "dimension", "embedding", "metadata", "generation", "created"),
    *("rag_strict", "source_only"),
)


def make_view(mongo: MongoCollections, space: str) -> None:
    """Let the view show a space; a second call changes nothing.

    Raises:
        ConfigError: another application has a collection of this name.
    """
    database, suffix = mongo.chunks.database, f"_{space}" if space else ""
    wanted = {"viewOn": f"files{suffix}", "pipeline": _pipeline(f"chunks{suffix}")}
    there = next(iter(database.list_collections(filter={"name": VIEW})), None)
    if there is None:
        _create(mongo, wanted)
    elif there["type"] != "view":
        raise foreign(f"MongoDB at {mongo.where}", f"the collection {VIEW}", "Name a database of its own in MONGO_DB")
    elif {name: there["options"].get(name) for name in wanted} != wanted:
        database.command({"collMod": VIEW, **wanted})


def _create(mongo: MongoCollections, wanted: dict[str, Any]) -> None:
    from pymongo.errors import CollectionInvalid, OperationFailure

    try:
        mongo.chunks.database.command({"create": VIEW, **wanted})
    except (CollectionInvalid, OperationFailure) as error:
        if getattr(error, "code", None) != _EXISTS:
            raise
        # Two hosts start at once, and the other one has made it.


_EXISTS = 48
"""NamespaceExists, of the server's `error_codes.yml`."""


def _pipeline(chunks: str) -> list[dict[str, Any]]:
    """Return what the view does: `MongoEntry.holds`, in the server's words."""
    holds = [
        # Comparisons of BSON and not of texts, since rows of other programs may have an _id of any type.
        {"$gt": ["$_id", {"$concat": ["$$incarnation", "/"]}]},
        {"$lt": ["$_id", {"$concat": ["$$incarnation", "0"]}]},  # 0 follows / in ASCII
        {"$gte": ["$generation", "$$floor"]},
        {"$lte": ["$generation", "$$generation"]},
        {"$not": [{"$in": ["$generation", "$$dead"]}]},
        {"$not": [{"$in": ["$_id", "$$going"]}]},
    ]
    rows = {
        "from": chunks,
        "localField": "_id",
        "foreignField": "file_id",
        "let": {name: f"${name}" for name in ("incarnation", "floor", "generation", "dead", "going")},
        "pipeline": [{"$match": {"$expr": {"$and": holds}}}],
        "as": "row",
    }
    fields: dict[str, Any] = dict.fromkeys(_OF_THE_FILE, 1)
    return [
        {"$match": {"incarnation": {"$type": "string"}, "gone": False, "generation": {"$gt": 0}}},
        {"$lookup": rows},
        {"$unwind": "$row"},
        {"$project": fields | {name: f"$row.{name}" for name in _OF_THE_ROW}},
    ]

"""Make an Atlas Vector Search index, wait for it and query it.

The index follows the collection: Atlas reads the changes and has applied them a second later, or many seconds later on
a busy cluster. A search of an index that is not there, or not built yet, finds nothing and is no error. Hence the
waiting: `ensure` until the index can be queried, `wait_for_rows` until it returns what is about to come into force.

Atlas runs these stages with read concern `local` alone and outside of transactions
(`document_source_internal_search_mongot_remote.h` of the server).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.stores.atlas.entry import MongoEntry
from ingest_assets.stores.atlas.rows import packed

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import MongoCollections, Row, Rows

    Filters: TypeAlias = Sequence[Mapping[str, Any]]

BUILD_S = 900.0
"""Atlas builds a new index in a minute or two; over a million rows in some ten minutes."""
CATCH_UP_S = 120.0
"""How long rows may take to reach the index; usually seconds."""
_FILTERS = ("user_id", "project_id", "file_id", "generation", "index", "rag_strict", "source_only")
"""The last two are for systems that search the collection themselves."""
_CANDIDATES = 20
"""Candidates looked at for each answer: what Atlas's manual advises."""
_MOST_CANDIDATES = 10_000
"""Atlas's limit."""


class SearchIndex:
    """The index of one space."""

    def __init__(self, *, space: str, dimension: int) -> None:
        self.name = f"vectors_{space}" if space else "vectors"
        self._dimension = dimension

    def ensure(self, mongo: MongoCollections) -> None:
        """Make the index or correct its definition, and wait until it can be queried.

        Raises:
            ConfigError: this server has no Vector Search.
            OutsideError: it was not built in time.
        """
        state = self.state(mongo)
        if state is None:
            model = {"name": self.name, "type": "vectorSearch", "definition": self._definition({})}
            mongo.chunks.database.command({"createSearchIndexes": mongo.chunks.name, "indexes": [model]})
        elif not self._fits(state):
            mongo.chunks.update_search_index(self.name, self._definition(state["latestDefinition"]))
        for _ in pauses(BUILD_S):
            state = self.state(mongo)
            if state is not None and state["status"] == "FAILED":
                raise ConfigError(
                    f"MongoDB at {mongo.where} could not build the search index {self.name}; drop it in Atlas (or "
                    "with dropSearchIndex) and start again"
                )
            if state is not None and state["queryable"] and state["status"] == "READY" and self._fits(state):
                return
        raise OutsideError(f"{self._not_ready(mongo, state)} after {BUILD_S:.0f} s")

    def remove(self, mongo: MongoCollections) -> None:
        """Drop the index and wait until it is gone; otherwise a new index of its name could be confused with it.

        Raises:
            OutsideError: it is still there after two minutes.
        """
        if self.state(mongo) is None:
            return
        mongo.chunks.drop_search_index(self.name)
        for _ in pauses(CATCH_UP_S):
            if self.state(mongo) is None:
                return
        raise OutsideError(f"MongoDB at {mongo.where}: the search index {self.name} is still there; try again later")

    def state(self, mongo: MongoCollections) -> Row | None:
        """Return the server's description of the index; None if there is none."""
        return next(iter(_local(mongo).aggregate([{"$listSearchIndexes": {"name": self.name}}])), None)

    def nearest(
        self, mongo: MongoCollections, vector: Vector, *, limit: int, where: Filters, exact: bool
    ) -> Iterator[Row]:
        """Yield the nearest rows, in force or not, with their cosine as `score`."""
        stages = [self._stage(vector, limit=limit, where=where, exact=exact)]
        show: Filters = [{"$unset": "embedding"}, {"$set": {"score": {"$meta": "vectorSearchScore"}}}]
        for row in _local(mongo).aggregate([*stages, *show], batchSize=limit):
            yield row | {"score": min(1.0, max(-1.0, 2.0 * row["score"] - 1.0))}  # Atlas gives (1 + cosine) / 2

    def wait_for_rows(
        self, mongo: MongoCollections, entry: MongoEntry, *, vector: Vector, starts: Sequence[int]
    ) -> None:
        """Wait until the index returns every row of an entry's generation.

        `starts` divides the document into parts of about a batch, each counted separately: one query for 50,000 rows
        would make the server fetch all of them again and again.
        """
        limits = [*sorted(set(starts)), None]
        for start, end in pairwise(limits):
            places = {"$gte": start} if end is None else {"$gte": start, "$lt": end}
            where: Filters = [
                {"file_id": {"$eq": entry.file_id}},
                {"generation": {"$eq": entry.generation}},
                {"index": places},
            ]
            wanted = mongo.chunks.count_documents({"$and": where})
            for _ in pauses(CATCH_UP_S):
                if not wanted or self._count(mongo, vector, limit=wanted, where=where) >= wanted:
                    break
            else:
                raise self.behind(mongo, entry.file_id)

    def behind(self, mongo: MongoCollections, what: str) -> ConfigError | OutsideError:
        """Return the error for an index that does not return all rows."""
        state = self.state(mongo)
        if state is None or not state["queryable"]:
            return self._not_ready(mongo, state)
        return OutsideError(
            f"{what}: the search index {self.name} of MongoDB at {mongo.where} lags behind the rows; try again later, "
            "and look at the index's page in Atlas if it stays so"
        )

    def _not_ready(self, mongo: MongoCollections, state: Row | None) -> ConfigError | OutsideError:
        if state is None:
            return ConfigError(
                f"MongoDB at {mongo.where} has no search index {self.name} on {mongo.chunks.name}; prepare the "
                "store, which makes it, or set ATLAS_VECTOR=0 to search without an index"
            )
        return OutsideError(
            f"MongoDB at {mongo.where} is still building the search index {self.name} (it is {state['status']}); try "
            "again later, or set ATLAS_VECTOR=0 until then to search without an index"
        )

    def _count(self, mongo: MongoCollections, vector: Vector, *, limit: int, where: Filters) -> int:
        stages = [self._stage(vector, limit=limit, where=where, exact=True), {"$count": "rows"}]
        return next((int(row["rows"]) for row in _local(mongo).aggregate(stages)), 0)

    def _stage(self, vector: Vector, *, limit: int, where: Filters, exact: bool) -> dict[str, Any]:
        asked = {
            "index": self.name,
            "path": "embedding",
            "queryVector": packed(vector),
            "filter": {"$and": list(where)},
            "limit": limit,
        }
        if exact or limit > _MOST_CANDIDATES:
            return {"$vectorSearch": asked | {"exact": True}}
        candidates = min(_MOST_CANDIDATES, limit * _CANDIDATES)
        return {"$vectorSearch": asked | {"numCandidates": candidates}}

    def _fits(self, state: Row) -> bool:
        """Tell whether the index has all that is needed here; fields that a team has added stay."""
        there = {field["path"]: field for field in state["latestDefinition"].get("fields", ())}
        return all(there.get(field["path"], {}).items() >= field.items() for field in self._definition({})["fields"])

    def _definition(self, known: Row) -> dict[str, Any]:
        vector = {"type": "vector", "path": "embedding", "numDimensions": self._dimension, "similarity": "cosine"}
        ours: list[dict[str, Any]] = [vector, *({"type": "filter", "path": path} for path in _FILTERS)]
        paths = {field["path"] for field in ours}
        return {"fields": [*ours, *(field for field in known.get("fields", ()) if field["path"] not in paths)]}


def pauses(limit_s: float) -> Iterator[None]:
    """Yield at once, and then at longer and longer intervals until the time is over."""
    end, pause_s = time.monotonic() + limit_s, 0.01
    yield
    while time.monotonic() < end:
        time.sleep(pause_s)
        pause_s = min(1.0, pause_s * 1.5)
        yield


def _local(mongo: MongoCollections) -> Rows:
    from pymongo.read_concern import ReadConcern

    return mongo.chunks.with_options(read_concern=ReadConcern("local"))

"""Answer from a collection as a search index of Atlas would, for `atlas_search.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import bson
import numpy as np
from bson.binary import Binary

Document = dict[str, Any]


class Refused(Exception):
    """What Atlas answers with an error."""

    def __init__(self, message: str, *, code: int = 8) -> None:
        super().__init__(message)
        self.code = code


class Index:
    """One search index: names and vectors as they were `lag_s` ago."""

    def __init__(self, collection: Any, name: str, definition: Document, *, build_s: float, lag_s: float) -> None:
        self.collection, self.name = collection, name
        self.build_s, self.lag_s = build_s, lag_s
        self.id, self.version = str(bson.ObjectId()), 0
        self.queryable = False
        self.vectors: dict[Any, np.ndarray] = {}
        self.define(definition)
        self.following = asyncio.create_task(self._follow())

    def define(self, definition: Document) -> None:
        fields = definition["fields"]
        (self.vector,) = [field for field in fields if field["type"] == "vector"]
        self.filters = {field["path"] for field in fields if field["type"] == "filter"}
        self.definition = self.in_use = definition

    def redefine(self, definition: Document) -> None:
        """Take another definition; as on Atlas the old one answers while the new one is built."""
        self.version += 1
        self.definition = definition
        self.building = asyncio.create_task(self._rebuilt(definition))

    async def _rebuilt(self, definition: Document) -> None:
        await asyncio.sleep(self.build_s)
        self.following.cancel()
        self.define(definition)
        self.vectors = {}
        self.queryable = False
        self.build_s = 0
        self.following = asyncio.create_task(self._follow())

    def described(self) -> Document:
        ready = self.queryable and self.definition is self.in_use
        return {
            "id": self.id,
            "name": self.name,
            "type": "vectorSearch",
            "status": "READY" if ready else "BUILDING",
            "queryable": self.queryable,
            "latestDefinitionVersion": {"version": self.version},
            "latestDefinition": self.definition,
        }

    async def _follow(self) -> None:
        async with await self.collection.watch(full_document="updateLookup", max_await_time_ms=200) as changes:
            await asyncio.sleep(self.build_s)
            async for row in self.collection.find({}, {self.vector["path"]: 1}):
                self._put(row)
            self.queryable = True
            async for change in changes:
                if self.lag_s:
                    await asyncio.sleep(self._wait_for(change))
                self._apply(change)
                if change["operationType"] in ("drop", "dropDatabase", "invalidate"):
                    return

    def _wait_for(self, change: Document) -> float:
        return max(0.0, float(change["wallTime"].timestamp()) + self.lag_s - time.time())

    def _apply(self, change: Document) -> None:
        if change["operationType"] == "delete":
            self.vectors.pop(change["documentKey"]["_id"], None)
        elif change.get("fullDocument"):
            self._put(change["fullDocument"])

    def _put(self, row: Document) -> None:
        vector = numbers(row.get(self.vector["path"]))
        if vector is not None and vector.size == self.vector["numDimensions"]:
            self.vectors[row["_id"]] = vector


def numbers(value: Any) -> np.ndarray | None:
    """Read an array or a binary vector of float32."""
    if isinstance(value, Binary) and value.subtype == 9 and value[:1] == b"\x27":
        return np.frombuffer(value, dtype="<f4", offset=2)
    return np.asarray(value, dtype=np.float32) if isinstance(value, list) else None


async def nearest(index: Index, asked: Document) -> tuple[list[Any], list[float]]:
    query = numbers(asked["queryVector"])
    if query is None or query.size != index.vector["numDimensions"] or asked["path"] != index.vector["path"]:
        raise Refused(f"vector field is indexed with {index.vector['numDimensions']} dimensions")
    if not asked.get("exact") and not asked["limit"] <= asked.get("numCandidates", 0) <= 10_000:
        raise Refused('"numCandidates" must be at least "limit" and at most 10000')
    if missing := set(paths(asked.get("filter", {}))) - index.filters:
        raise Refused(f"Path '{sorted(missing)[0]}' needs to be indexed as filter")
    # The filter sees fields that never change in a row, and rows that are gone pass it: the index has them still.
    there = {row["_id"]: None async for row in index.collection.find({}, {"_id": 1})}
    passing = {row["_id"] async for row in index.collection.find(asked.get("filter", {}), {"_id": 1})}
    names = [name for name in index.vectors if name in passing or name not in there]
    if not names:
        return [], []
    matrix = np.stack([index.vectors[name] for name in names])
    cosines = (matrix @ query) / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(query))
    best = np.argsort(-cosines, kind="stable")[: asked["limit"]]
    return [names[place] for place in best], [float((1 + cosines[place]) / 2) for place in best]


def paths(condition: Document) -> Iterator[str]:
    """Yield the paths of a filter; raise where Atlas does not know an operator."""
    for name, value in condition.items():
        if name in ("$and", "$or", "$nor"):
            for each in value:
                yield from paths(each)
        elif name.startswith("$"):
            raise Refused(f"unknown operator {name}")
        else:
            known = {"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"}
            if isinstance(value, dict) and set(value) - known:
                raise Refused(f"unknown operator in {value}")
            yield name


def scored(stages: Any) -> Any:
    """Put the score where a pipeline asks for it."""
    if isinstance(stages, list):
        return [scored(each) for each in stages]
    if isinstance(stages, dict):
        if stages == {"$meta": "vectorSearchScore"}:
            return "$__score"
        return {name: scored(value) for name, value in stages.items()}
    return stages

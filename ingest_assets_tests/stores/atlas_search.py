"""A mongod in, the part of Atlas that no server here has in front of it out: Vector Search, over the wire.

    python -m ingest_assets_tests.stores.atlas_search PORT MONGOD_PORT BUILD_S LAG_S

Everything passes through to the mongod but `createSearchIndexes`, `updateSearchIndex`, `dropSearchIndex`,
`$listSearchIndexes` and `$vectorSearch`. Those are answered as Atlas does: an index takes BUILD_S to be queryable and
follows the collection's changes LAG_S behind; an index that is unknown or not queryable finds nothing; rows that are
gone from the collection but not yet from the index take places among the nearest and do not appear; a filter on a
path that is not indexed for it, another length of vector, too few candidates, a read concern other than local and a
transaction are refused. Nearest is exact.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

import bson
import numpy as np
from bson.binary import Binary
from bson.int64 import Int64
from pymongo import AsyncMongoClient

OP_MSG = 2013
LIMIT = 2**26
READY = "ready"
"""What is written to standard output once connections are taken."""

Document = dict[str, Any]
Key = tuple[str, str, str]


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
        return max(0.0, change["wallTime"].timestamp() + self.lag_s - time.time())

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


class Proxy:
    """The indexes, and the connections that pass."""

    def __init__(self, client: Any, *, mongod_port: int, build_s: float, lag_s: float) -> None:
        self.client, self.mongod_port = client, mongod_port
        self.build_s, self.lag_s = build_s, lag_s
        self.indexes: dict[Key, Index] = {}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above, below = await asyncio.open_connection("127.0.0.1", self.mongod_port, limit=LIMIT)
        back = asyncio.create_task(passed_on(above, writer))
        try:
            while True:
                header = await reader.readexactly(16)
                length, request, _, operation = struct.unpack("<iiii", header)
                body = await reader.readexactly(length - 16)
                reply = await self.answered(body, request) if operation == OP_MSG else None
                if isinstance(reply, dict):
                    writer.write(message(reply, request=1, answers=request))
                    await writer.drain()
                else:
                    below.write(reply or header + body)
                    await below.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            below.close()
            writer.close()

    async def answered(self, body: bytes, request: int) -> Document | bytes | None:
        """Return a reply, another message to pass on instead, or None where the message is none of ours."""
        if body[4] != 0 or not any(word in body for word in (b"SearchIndex", b"$vectorSearch")):
            return None
        command = bson.decode(body[5 : 5 + struct.unpack_from("<i", body, 5)[0]])
        try:
            answer = await self.run(command)
        except Refused as error:
            return {"ok": 0.0, "errmsg": str(error), "code": error.code}
        if answer is command:
            return message(command, request=request, answers=0)
        return answer

    async def run(self, command: Document) -> Document | None:
        name, database, collection = next(iter(command)), command["$db"], next(iter(command.values()))
        if name == "createSearchIndexes":
            return self.create(database, collection, command["indexes"])
        if name in ("updateSearchIndex", "dropSearchIndex"):
            return self.change(name, (database, collection, command["name"]), command)
        stage: Document = command["pipeline"][0] if name == "aggregate" and command["pipeline"] else {}
        if "$listSearchIndexes" in stage:
            return self.listed(database, collection, stage["$listSearchIndexes"].get("name"))
        if "$vectorSearch" in stage:
            if command.get("readConcern", {}).get("level", "local") != "local":
                raise Refused("Aggregation stage $vectorSearch cannot run with this readConcern", code=72)
            if "autocommit" in command:
                raise Refused("Operation not permitted in transaction :: $vectorSearch", code=263)
            return await self.searched(command, database, collection, stage["$vectorSearch"])
        return None

    def create(self, database: str, collection: str, models: list[Document]) -> Document:
        made = []
        for model in models:
            key = (database, collection, model["name"])
            if key in self.indexes:
                raise Refused("Duplicate Index", code=68)
            self.indexes[key] = Index(
                self.client[database][collection],
                model["name"],
                model["definition"],
                build_s=self.build_s,
                lag_s=self.lag_s,
            )
            made.append({"id": self.indexes[key].id, "name": model["name"]})
        return {"indexesCreated": made, "ok": 1.0}

    def change(self, name: str, key: Key, command: Document) -> Document:
        if key not in self.indexes:
            raise Refused("Index not found", code=27)
        if name == "dropSearchIndex":
            self.indexes.pop(key).following.cancel()
        else:
            self.indexes[key].redefine(command["definition"])
        return {"ok": 1.0}

    def listed(self, database: str, collection: str, name: str | None) -> Document:
        found = [
            index.described()
            for key, index in self.indexes.items()
            if key[:2] == (database, collection) and name in (None, key[2])
        ]
        return {"cursor": {"id": Int64(0), "ns": f"{database}.{collection}", "firstBatch": found}, "ok": 1.0}

    async def searched(self, command: Document, database: str, collection: str, asked: Document) -> Document:
        """Put a plain search for the nearest ids in the stage's place; the mongod does the rest."""
        index = self.indexes.get((database, collection, asked["index"]))
        names: list[Any] = []
        scores: list[float] = []
        if index is not None and index.queryable:
            names, scores = await nearest(index, asked)
        place = {"$indexOfArray": [{"$literal": names}, "$_id"]}
        command["pipeline"] = [
            {"$match": {"_id": {"$in": names}}},
            {"$set": {"__score": {"$arrayElemAt": [{"$literal": scores}, place]}}},
            {"$sort": {"__score": -1}},
            *scored(command["pipeline"][1:]),
            {"$unset": "__score"},
        ]
        return command


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


def message(document: Document, *, request: int, answers: int) -> bytes:
    body = b"\0\0\0\0\0" + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), request, answers, OP_MSG) + body


async def passed_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()


async def main() -> None:
    port, mongod_port = int(sys.argv[1]), int(sys.argv[2])
    build_s, lag_s = float(sys.argv[3]), float(sys.argv[4])
    client: Any = AsyncMongoClient(f"mongodb://127.0.0.1:{mongod_port}/?directConnection=true", tz_aware=True)
    proxy = Proxy(client, mongod_port=mongod_port, build_s=build_s, lag_s=lag_s)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", port, limit=LIMIT)
    async with server:
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

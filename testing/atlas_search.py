"""Stand in for the part of Atlas that no local MongoDB has: answer Vector Search over the wire.

    python -m testing.atlas_search PORT MONGOD_PORT BUILD_S LAG_S

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
from typing import Any

import bson
from bson.int64 import Int64
from pymongo import AsyncMongoClient

from testing.atlas_search_index import Document, Index, Refused, nearest, scored

OP_MSG = 2013
LIMIT = 2**26
READY = "ready"
"""What is written to standard output once connections are taken."""

Key = tuple[str, str, str]


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

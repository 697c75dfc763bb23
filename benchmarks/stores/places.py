"""Start a real store on loopback, and write the same rows in its library's fastest plain way."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from ingest_assets.stores.pgvector.store import PgVectorStore
from testing import mongo
from testing.postgres import postgres
from testing.servers import free_port, running

DIMENSION = 384
CHROMA_BATCH = 5_000
_names = count()


@dataclass(frozen=True, slots=True)
class Place:
    """An empty place for one store."""

    address: tuple[str, ...]
    """How a child process opens it: kind, location, database."""
    plain: Callable[[], float]
    """Writes the rows that the store holds now to a fresh place by the plain library; returns the seconds."""
    written: Callable[[], float]
    """Megabytes written so far, as the database counts them."""

    def open(self) -> VectorStore:
        """Open the store."""
        return opened(*self.address)


def opened(kind: str, location: str, database: str) -> VectorStore:
    """Open a store and prepare it."""
    store: VectorStore
    if kind == "pgvector":
        store = PgVectorStore(location, dimension=DIMENSION)
    elif kind == "atlas":
        store = AtlasStore(location, database=database, dimension=DIMENSION)
    else:
        store = ChromaStore(location, database=database) if database else ChromaStore(location)
    store.prepare()
    return store


@contextmanager
def chroma_embedded() -> Iterator[Callable[[], Place]]:
    """Chroma in a folder."""
    with tempfile.TemporaryDirectory() as folder:

        def place() -> Place:
            path = Path(folder) / str(next(_names))
            return Place(
                address=("chroma", str(path), ""),
                plain=lambda: _plain_chroma(_embedded(str(path)), _embedded(f"{path}-plain")),
                written=lambda: sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) / 1e6,
            )

        yield place


@contextmanager
def chroma_server() -> Iterator[Callable[[], Place]]:
    """Chroma's server."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        url, data = f"http://127.0.0.1:{port}", Path(folder) / "data"
        command = [str(Path(sys.executable).with_name("chroma")), "run", "--port", str(port), "--path", str(data)]
        with running(command, answers=f"{url}/api/v2/heartbeat", log=Path(folder) / "log"):

            def place() -> Place:
                name, other = (_database(url) for _ in range(2))
                return Place(
                    address=("chroma", url, name),
                    plain=lambda: _plain_chroma(_served(port, name), _served(port, other)),
                    written=lambda: sum(each.stat().st_size for each in data.rglob("*") if each.is_file()) / 1e6,
                )

            yield place


@contextmanager
def pgvector() -> Iterator[Callable[[], Place]]:
    """PostgreSQL with pgvector; synced to the disk as in real use."""
    import psycopg

    with postgres(fsync="on", full_page_writes="on", shared_buffers="256MB", max_wal_size="1GB") as server:

        def place() -> Place:
            url, other = server.new_database(), server.new_database()

            def plain() -> float:
                PgVectorStore(other, dimension=DIMENSION).prepare()
                with psycopg.connect(url) as source, psycopg.connect(other) as target:
                    with source.cursor().copy("COPY chunks TO STDOUT (FORMAT BINARY)") as out:
                        blocks = [bytes(block) for block in out]
                    began = time.perf_counter()
                    with target.cursor().copy("COPY chunks FROM STDIN (FORMAT BINARY)") as into:
                        for block in blocks:
                            into.write(block)
                    target.commit()
                    return time.perf_counter() - began

            def written() -> float:
                with psycopg.connect(url) as connection:
                    row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
                    return float(row[0]) / 1e6 if row else 0.0

            return Place(address=("pgvector", url, ""), plain=plain, written=written)

        yield place


@contextmanager
def atlas() -> Iterator[Callable[[], Place]]:
    """MongoDB, a replica set of one, searched exactly."""
    from pymongo import MongoClient

    with tempfile.TemporaryDirectory() as folder, mongo.replica_set(Path(folder)) as server:
        client: MongoClient[dict[str, Any]] = MongoClient(server.uri)

        def place() -> Place:
            name = f"bench{next(_names)}"

            def plain() -> float:
                AtlasStore(server.uri, database=f"{name}-plain", dimension=DIMENSION).prepare()
                rows = list(client[name]["chunks"].find())
                began = time.perf_counter()
                client[f"{name}-plain"]["chunks"].insert_many(rows, ordered=False)
                return time.perf_counter() - began

            def written() -> float:
                return float(client.local.command("collStats", "oplog.rs")["size"]) / 1e6

            return Place(address=("atlas", server.uri, name), plain=plain, written=written)

        yield place
        client.close()


STORES = {"chroma": chroma_embedded, "chroma server": chroma_server, "pgvector": pgvector, "atlas": atlas}


def _embedded(path: str) -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(path, Settings(anonymized_telemetry=False))


def _served(port: int, database: str) -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.HttpClient("127.0.0.1", port, settings=Settings(anonymized_telemetry=False), database=database)


def _plain_chroma(source: Any, target: Any) -> float:
    held = source.get_collection("chunks", embedding_function=None)
    found = held.get(include=["embeddings", "documents", "metadatas"])
    fresh = target.create_collection("chunks", configuration=held.configuration, embedding_function=None)
    began = time.perf_counter()
    for first in range(0, len(found["ids"]), CHROMA_BATCH):
        part = slice(first, first + CHROMA_BATCH)
        fresh.add(
            ids=found["ids"][part],
            embeddings=found["embeddings"][part],
            documents=found["documents"][part],
            metadatas=found["metadatas"][part],
        )
    return time.perf_counter() - began


def _database(url: str) -> str:
    name = f"bench{next(_names)}"
    request = urllib.request.Request(
        f"{url}/api/v2/tenants/default_tenant/databases",
        data=json.dumps({"name": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):
        return name

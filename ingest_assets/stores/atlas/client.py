"""Open one space's collections in MongoDB, when they are first used.

They are not opened earlier because runs are forked: a MongoClient has threads and sockets that no child may share.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ingest_assets.stores.atlas.errors import translated, unreadable, where_of
from ingest_assets.stores.contract import ConnectionCounts

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

    from ingest_assets.stores.atlas.connection_counter import ConnectionCounter

    Row: TypeAlias = dict[str, Any]
    Rows: TypeAlias = Collection[Row]

SERVER_SELECTION_MS = 13_000
"""An election of a new primary takes up to twelve seconds (MongoDB's manual); longer means away."""
REQUEST_TIMEOUT_MS = 120_000
"""Limit of an operation with its retries. The slowest one, counting 50,000 rows of one file, takes a second."""
_SNAPSHOT_WIRE_VERSION = 13
"""MongoDB 5.0, the first version whose ordinary reads can be of one moment."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MongoCollections:
    """The open collections of one space, and what the server can do."""

    where: str
    client: MongoClient[Row]
    chunks: Rows
    files: Rows
    scopes: Rows
    """The number of publications in each scope (`ledger.py`)."""
    spaces: Rows
    """One document, `current`: the space in use."""
    owner: Rows
    """One document, `bucket`: whose files the database holds (`ownership.py`)."""
    dimension: int
    transactional: bool
    """The server has transactions and snapshot reads: replica sets and sharded clusters."""
    sharded: bool
    """Readers may see the writes of a transaction on one shard before those on another."""

    @contextmanager
    def moment(self) -> Iterator[ClientSession | None]:
        """Yield a session whose reads all see one snapshot; None if the server cannot do that."""
        if not self.transactional:
            yield None
            return
        with self.client.start_session(snapshot=True) as session:
            yield session

    def at_once(self, work: Callable[[ClientSession], T]) -> T:
        """Do all of the work or nothing; `work` may be called again if two transactions conflict."""
        import pymongo

        with pymongo.timeout(self.client.options.timeout), self.client.start_session() as session:
            return session.with_transaction(work)


class MongoPlace:
    """A space of a database; its collections are opened at the first use."""

    def __init__(self, uri: str, *, database: str, space: str, dimension: int) -> None:
        if space and not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", space):
            raise ValueError(f"a space's name is of letters, digits, - and _, 60 at most, not {space!r}")
        self.where = where_of(uri, database)
        self.space = space
        self._uri, self._database, self._dimension = uri, database, dimension
        self._handle: MongoCollections | None = None
        self._counter: ConnectionCounter | None = None
        self._opening = threading.Lock()

    @contextmanager
    def asked(self) -> Iterator[MongoCollections]:
        """Yield the collections; errors are translated (`errors.py`)."""
        with translated(self.where):
            mongo = self._opened()
            _require_server(mongo.client)
            yield mongo

    def connections(self) -> ConnectionCounts:
        """Count the connections of the pools of all servers."""
        counter = self._counter
        return counter.counts() if counter is not None else ConnectionCounts(0, 0, 0)

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._opening:
            if self._handle is not None:
                self._handle.client.close()
            self._handle = None

    def _opened(self) -> MongoCollections:
        with self._opening:
            if self._handle is None:
                self._handle = self._open()
            return self._handle

    def _open(self) -> MongoCollections:
        from pymongo import MongoClient

        from ingest_assets.stores.atlas.connection_counter import ConnectionCounter

        self._counter = ConnectionCounter()
        try:
            client: MongoClient[Row] = MongoClient(self._uri, event_listeners=[self._counter], **self._options())
        except (ValueError, TypeError) as error:
            raise unreadable(self.where, error) from None  # the chain would show the string with its password
        try:
            _require_server(client)
            hello = client.admin.command("hello")
            database, suffix = client[self._database], f"_{self.space}" if self.space else ""
            sharded = hello.get("msg") == "isdbgrid"
            grouped = "setName" in hello or sharded
            return MongoCollections(
                where=self.where,
                client=client,
                chunks=database[f"chunks{suffix}"],
                files=database[f"files{suffix}"],
                scopes=database[f"scopes{suffix}"],
                spaces=database["spaces"],
                owner=database["ingest_owner"],
                dimension=self._dimension,
                sharded=sharded,
                transactional=grouped and hello["maxWireVersion"] >= _SNAPSHOT_WIRE_VERSION,
            )
        except BaseException:
            client.close()
            raise

    def _options(self) -> dict[str, Any]:
        """Return the options that the store's promises need, and time limits where the connection string sets none."""
        limits = {"serverSelectionTimeoutMS": SERVER_SELECTION_MS, "timeoutMS": REQUEST_TIMEOUT_MS}
        given = self._uri.partition("?")[2].lower()
        free = {name: value for name, value in limits.items() if f"{name.lower()}=" not in given}
        return {"appname": "ingest_assets", "w": "majority", "retryWrites": True, "readConcernLevel": "majority"} | free


def _require_server(client: MongoClient[Row]) -> None:
    """Wait for a server only as long as an election takes.

    Where `timeoutMS` is set, pymongo waits for a server as long as for the whole operation, which is two minutes here.
    """
    import pymongo

    if not client.topology_description.has_writable_server():
        with pymongo.timeout(client.options.server_selection_timeout):
            client.admin.command("ping")

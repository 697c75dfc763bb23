"""Run transactions on a PostgreSQL server, over a pool of connections.

Connections are opened when they are first needed, never at construction: a process that forks must hold none. Each
transaction sets its own time limits, so that they also hold behind a pooler, which keeps no session.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest_assets.errors import OutsideError
from ingest_assets.stores.contract import ConnectionCounts
from ingest_assets.stores.ownership import StoreOwner
from ingest_assets.stores.pgvector.errors import place_of, translated
from ingest_assets.stores.pgvector.schema import claim, migrate, require_ready
from ingest_assets.stores.pgvector.tables import Tables

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

_CONNECTIONS = 4
"""A run needs one to publish and one to look vectors up; threads that search take milliseconds and take turns."""
_PATIENCE_S = 15.0
"""A server that restarts is back by then."""
_SILENCE_S = 900
"""A transaction that is idle for so long has lost its client. The slowest embedder needs a third of it for a batch."""

_DEFAULTS = {
    "connect_timeout": 10,
    "application_name": "ingest_assets",
    "client_encoding": "utf8",
    # A host that disappears is noticed within a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long the server may take, in seconds."""

    statement_s: float = 120.0
    """One statement: a batch written, a search, a wait for another writer of the file."""


class PgClient:
    """Transactions on the tables of one space."""

    def __init__(self, url: str, *, tables: Tables, limits: TimeLimits) -> None:
        self.location, parts = place_of(url)
        self.tables = tables
        self._limits = limits
        self._parts: dict[str, Any] = _DEFAULTS | parts
        self._pool: ConnectionPool | None = None
        self._in_use = 0
        self._opening, self._counting = threading.Lock(), threading.Lock()

    def prepare(self, owner: StoreOwner | None, *, take_over: bool) -> None:
        """Bring the tables to what this release needs, and record whose files they hold."""
        with self.alone() as connection:
            claim(connection, self.tables, owner, location=self.location, take_over=take_over)
            migrate(connection, self.tables, location=self.location)

    @contextmanager
    def transaction(self, *, still: bool = False) -> Iterator[Connection[Any]]:
        """Yield a connection in a transaction, committed at the end; with `still` all reads see one snapshot."""
        with translated(self.location), self._connection() as connection, connection.transaction():
            if still:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                (f"{self._limits.statement_s * 1000:.0f}", f"{_SILENCE_S * 1000}"),
            )
            yield connection

    @contextmanager
    def owning(self, file_id: str) -> Iterator[Connection[Any]]:
        """Yield a transaction that holds the lock of a file: two writers of one file follow one another."""
        with self.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (self.tables.lock_key(file_id),))
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection[Any]]:
        """Yield a separate connection without a transaction or a time limit, to prepare and to compact."""
        with translated(self.location), self._direct() as connection:
            connection.execute("SELECT set_config('statement_timeout', '0', false)")
            yield connection

    @contextmanager
    def at_hand(self) -> Iterator[Connection[Any]]:
        """Yield a connection without a transaction: one of the pool if it is open, else one that needs no tables."""
        taken = self._connection() if self._pool is not None else self._direct()
        with translated(self.location), taken as connection:
            yield connection

    def connections(self) -> ConnectionCounts:
        """Count the connections of the pool."""
        pool, in_use = self._pool, self._in_use
        counts = pool.get_stats() if pool is not None else {}
        return ConnectionCounts(in_use, counts.get("pool_available", 0), counts.get("requests_waiting", 0))

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._opening:
            if self._pool is not None:
                self._pool.close()
            self._pool = None

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        pool, connection = self._taken()
        self._count(1)
        try:
            yield connection
        finally:
            self._count(-1)
            pool.putconn(connection)

    def _count(self, taken: int) -> None:
        with self._counting:
            self._in_use += taken

    def _taken(self) -> tuple[ConnectionPool, Connection[Any]]:
        from psycopg_pool import PoolTimeout

        pool = self._opened()
        try:
            return pool, pool.getconn()
        except PoolTimeout as error:
            if self._in_use >= _CONNECTIONS:
                raise OutsideError(
                    f"{self.location}: all {_CONNECTIONS} connections were in use for {_PATIENCE_S:.0f} s; "
                    "try again later"
                ) from error
        # The pool does not say why it got no connection, and waits longer after each attempt. A new pool either says
        # why, or finds that the server is back.
        self.close()
        pool = self._opened()
        return pool, pool.getconn()

    def _opened(self) -> ConnectionPool:
        with self._opening:
            if self._pool is None:
                with self._direct() as connection:
                    require_ready(connection, self.tables, location=self.location)
                self._pool = self._new_pool()
            return self._pool

    def _new_pool(self) -> ConnectionPool:
        from pgvector.psycopg import register_vector
        from psycopg_pool import ConnectionPool

        return ConnectionPool(
            kwargs=self._arguments(),
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=_PATIENCE_S,
            configure=register_vector,
            check=ConnectionPool.check_connection,
            open=True,
        )

    def _direct(self) -> Connection[Any]:
        from psycopg import connect

        return connect(**self._arguments())

    def _arguments(self) -> dict[str, Any]:
        # No prepared statements: a pooler may give the next one to another session, and a plan made for one scope is
        # wrong for the next.
        return self._parts | {"autocommit": True, "prepare_threshold": None}

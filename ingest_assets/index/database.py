"""Open the database that stands beside the Dagster instance: a SQLite file, or tables in PostgreSQL.

It holds what must be answered in milliseconds whatever the number of files is: the index of files, the inbox of keys to
look at, the outbox of messages. A commit survives the death of every process. A SQLite file may lose the last commits
when the machine loses its power, all tables to the same moment: the index is then behind the ledger, which the next
looks find and mend, and a key that left the inbox is found by the next listing. Waiting for the disk at each commit
would cost a run more than its reading of a small file.

SQLAlchemy is here already, because Dagster keeps its own runs with it. It writes the SQL of both databases; each module
that keeps something here declares its table on `METADATA`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, create_engine, event, pool, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ingest_assets.errors import ConfigError, OutsideError

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

METADATA = MetaData()
"""The tables of this database."""
BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by its UTF-8 bytes in both databases, as object stores sort their keys."""

_SCHEMA = "1"
_WAIT_S = 30
ABOUT = Table("ingest_about", METADATA, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
"""What is true of the whole database, by name."""


class Database:
    """One database. It is opened when it is first used, and again in a process that was forked."""

    def __init__(self, url: str) -> None:
        """Take `sqlite:///PATH` or `postgresql://…`."""
        self._url = make_url(url)
        if self._url.get_backend_name() == "postgresql":
            self._url = self._url.set(drivername="postgresql+psycopg")
        self._opening = Lock()
        self._opened_for = (0, 0)
        """The process that opened it, and how many tables it prepared."""

    @property
    def name(self) -> str:
        """The database, as messages name it: without user and password."""
        return self._url.database or "" if self._is_sqlite else f"{self._url.host}/{self._url.database}"

    @contextmanager
    def within(self, connection: Connection | None) -> Iterator[Connection]:
        """Give the connection of a transaction that goes on, or one of a new transaction that only reads.

        A thread that holds one connection must not wait for another: threads that all do so wait for each other.
        """
        if connection is not None:
            yield connection
            return
        with self.begin(writes=False) as opened:
            yield opened

    @contextmanager
    def begin(self, *, writes: bool = True) -> Iterator[Connection]:
        """Give a connection in one transaction: committed at the end, rolled back if anything is raised.

        On SQLite transactions that write do not overlap: each waits for the one before, up to 30 s. Those that only
        read (`writes=False`) wait for none.

        Raises:
            OutsideError: the database is away, busy for too long, or its disk is full.
            ConfigError: a later release wrote it.
        """
        try:
            with self._opened().connect().execution_options(ingest_writes=writes) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise OutsideError(f"the index database {self.name}: {_reason(error)}") from error

    def upsert(self, table: Table) -> SqliteInsert | PostgresqlInsert:
        """Return an INSERT that can say what happens on a conflict, which each database spells in its own way."""
        return sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """Keep a connection open for as long as the context lasts, in a process that asks often.

        When the last connection to a SQLite file is closed, SQLite moves its log into the file and waits for it: a
        transaction then takes 5 to 17 ms, and 2 ms while another connection is open (2026-11-30, a busy machine).

        Raises:
            OutsideError: the database is away.
        """
        with self._opened().connect():
            yield

    def close(self) -> None:
        """Close all connections; the next use opens the database again."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _opened(self) -> Engine:
        """Return the engine; a forked process leaves its parent's connections to the parent."""
        now = (os.getpid(), len(METADATA.tables))
        with self._opening:  # else one thread would take the engine that another is making for the parent's
            if self._opened_for != now:
                if self._opened_for[0] != now[0] and "_engine" in self.__dict__:
                    self._engine.dispose(close=False)
                    del self.__dict__["_engine"]
                self._prepare(self._engine)
                self._opened_for = now
            return self._engine

    @cached_property
    def _engine(self) -> Engine:
        if not self._is_sqlite:
            options = {"connect_timeout": 10, "application_name": "ingest_assets"}
            return create_engine(self._url, connect_args=options, pool_size=2, max_overflow=8, pool_pre_ping=True)
        Path(self._url.database or "").parent.mkdir(parents=True, exist_ok=True)
        # No pool: a connection to a file costs a fraction of a millisecond, and none is left over to be forked.
        engine = create_engine(self._url, connect_args={"timeout": _WAIT_S}, poolclass=pool.NullPool)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_at_once)
        return engine

    def _prepare(self, engine: Engine) -> None:
        """Make the tables that are not there, and refuse a database of a later release."""
        try:
            with engine.begin() as connection:
                if not self._is_sqlite:  # two processes that make one table at once would fail
                    connection.execute(text("SELECT pg_advisory_xact_lock(7264011)"))
                METADATA.create_all(connection)
                added = self.upsert(ABOUT).values(name="schema", value=_SCHEMA).on_conflict_do_nothing()
                connection.execute(added)
                found = connection.execute(ABOUT.select().where(ABOUT.c.name == "schema")).one().value
        except (SQLAlchemyError, OSError) as error:
            raise OutsideError(f"the index database {self.name}: {_reason(error)}") from error
        if found != _SCHEMA:
            raise ConfigError(
                f"the index database {self.name} has layout {found}; this release reads {_SCHEMA}: install a later one"
            )


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the one of Python's module
    for setting in ("journal_mode = WAL", "synchronous = NORMAL", f"busy_timeout = {_WAIT_S * 1000}"):
        connection.execute(f"PRAGMA {setting}")


def _begin_at_once(connection: Connection) -> None:
    """Take SQLite's one writer's place at once: a transaction that reads first and writes later could be refused."""
    writes = connection.get_execution_options().get("ingest_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _reason(error: Exception) -> str:
    """Say what the driver said, in one line, without the statement and its values."""
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    first = next(iter(message.strip().splitlines()), "") or type(error).__name__
    return f"{first}; is its disk full, or its server away?"

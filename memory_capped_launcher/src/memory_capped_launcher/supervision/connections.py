"""Dagster's SQLite storages in, the same with their connections kept open for as long as a run lasts out.

Dagster makes an engine for every look at a database and opens and closes the file with it: it compiles each statement
again, and SQLite, whose last reader leaves, writes its log back into the database and deletes it. A run of five steps
does so some three hundred times. One engine per database for the run's own process saves half of what a run of a
trivial asset takes (benchmarks/launcher/README.md).

Servers (PostgreSQL, MySQL) are left alone: a connection that is kept while a step works for an hour may be gone.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

# Each holds its own reference to `create_engine`; where Dagster has moved one, its databases are opened as before.
_STORAGES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
)
_engines: dict[str, Engine] = {}
_inherited: list[Engine] = []


@contextmanager
def kept_connections() -> Iterator[None]:
    """Keep every SQLite database of Dagster open from its first use to the end; for a process that runs one run."""
    storages = list(_storages())
    for storage in storages:
        storage.create_engine = _engine
    os.register_at_fork(after_in_child=_forget)
    try:
        yield
    finally:
        for storage in storages:
            storage.create_engine = create_engine
        while _engines:
            QueuePool.dispose(_engines.popitem()[1].pool)  # type: ignore[arg-type]


def _storages() -> Iterator[Any]:
    for name in _STORAGES:
        with suppress(ImportError):
            yield importlib.import_module(name)


class _KeptPool(QueuePool):
    """A pool that outlives the engine's disposal, which Dagster asks for after every use."""

    def dispose(self) -> None:
        """Keep what is open."""

    def recreate(self) -> _KeptPool:
        """Return the same pool."""
        return self


def _engine(url: str, **options: Any) -> Engine:
    """Return the one engine of a database."""
    if url not in _engines:
        # No limit: a nested look would wait for ever for the connection that its caller holds.
        kept = {"poolclass": _KeptPool, "max_overflow": -1}
        event.listen(_engines.setdefault(url, create_engine(url, **options | kept)), "connect", _sync_at_checkpoints)
    return _engines[url]


def _sync_at_checkpoints(connection: Any, _: object) -> None:
    """Do not wait for the disk at each of a run's hundred commits, 2 to 5 ms each.

    With a write-ahead log that is safe whoever is killed; a power cut takes the last moments of a run that it ended too
    (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        connection.execute("PRAGMA synchronous=NORMAL")


def _forget() -> None:
    """Leave a parent's connections alone, and alive: SQLite's must be neither used nor closed by a forked child."""
    _inherited.extend(_engines.values())
    _engines.clear()

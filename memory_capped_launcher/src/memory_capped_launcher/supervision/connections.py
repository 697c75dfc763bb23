"""Keep Dagster's SQLite databases open for as long as a run lasts.

Dagster makes a new engine for each access to a database and opens and closes the file with it. It compiles each
statement again, and SQLite, when its last reader leaves, writes its log back into the database and deletes it. A run of
five steps does so some three hundred times. With one engine per database in the run's process, a run of a trivial asset
takes half the time (benchmarks/launcher/README.md).

This patches three modules of Dagster in the run's process. The setting `keep_connections: false` switches it off.
Servers (PostgreSQL, MySQL) are not touched: a connection that is kept while a step works for an hour may be gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from memory_capped_launcher.dagster_private import sqlite_storage_modules

_engines: dict[str, Engine] = {}
_inherited: list[Engine] = []


@contextmanager
def kept_connections(*, on: bool) -> Iterator[None]:
    """Keep every SQLite database of Dagster open from its first use to the end; for a process that runs one run.

    With `on=False`, Dagster opens its databases as it always does.
    """
    storages = list(sqlite_storage_modules()) if on else []
    for storage in storages:
        storage.create_engine = _engine
    if on:
        os.register_at_fork(after_in_child=_forget)
    try:
        yield
    finally:
        for storage in storages:
            storage.create_engine = create_engine
        while _engines:
            QueuePool.dispose(_engines.popitem()[1].pool)  # type: ignore[arg-type]


class _KeptPool(QueuePool):
    """A pool that stays open when Dagster disposes of its engine, which it does after every use."""

    def dispose(self) -> None:
        """Keep what is open."""

    def recreate(self) -> _KeptPool:
        """Return the same pool."""
        return self


def _engine(url: str, **options: Any) -> Engine:
    """Return the engine of a database; make it at the first call."""
    if url not in _engines:
        # No limit: a nested access would wait for ever for the connection that its caller holds.
        kept = {"poolclass": _KeptPool, "max_overflow": -1}
        event.listen(_engines.setdefault(url, create_engine(url, **options | kept)), "connect", _sync_at_checkpoints)
    return _engines[url]


def _sync_at_checkpoints(connection: Any, _: object) -> None:
    """Do not wait for the disk at each of a run's hundred commits, 2 to 5 ms each.

    With a write-ahead log this is safe when a process is killed. A power cut also loses the last moments of the run
    that it ends (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        connection.execute("PRAGMA synchronous=NORMAL")


def _forget() -> None:
    """Put a parent's connections aside: a forked child must neither use nor close those of SQLite."""
    _inherited.extend(_engines.values())
    _engines.clear()

"""Copy an embedded Chroma store while other processes use it.

Writers wait until the copy is whole, for as long as their store's files take to copy; readers do not. The rows of small
scopes (`small_scopes/`) are left out, because they are made again when they are next asked for.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from ingest_assets.stores.chroma.embedded.locks import StoreLocks

_ROWS = "chroma.sqlite3"


def copy_embedded(store: Path, *, to: Path) -> None:
    """Copy the store in the folder `store` into the folder `to`, which must not exist."""
    with StoreLocks(store / "locks").shared():
        shutil.copytree(store, to, ignore=shutil.ignore_patterns(f"{_ROWS}*", "scopes"))
        copy_database(store / _ROWS, to=to / _ROWS)


def copy_database(file: Path, *, to: Path) -> None:
    """Copy a SQLite database as it is at one moment, also while others write to it."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)

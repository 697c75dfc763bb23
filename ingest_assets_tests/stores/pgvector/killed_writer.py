"""Write to PostgreSQL and die at a chosen moment (`killing.py`).

    python -m ingest_assets_tests.stores.pgvector.killed_writer URL

A request is `replace|add|delete N`; no connection is open when a child is forked. There is a moment before and after
each statement that the child sends, `BEGIN` and `COMMIT` included, and between the rows and the end of a COPY.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ingest_assets.stores.pgvector import publish as pgvector_publish
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, record_of, texts_of
from ingest_assets_tests.stores.killing import serve

ROWS_PER_WRITE = 4
"""Small, so that a document of a dozen chunks is looked up, copied and deleted in several statements."""

RECORD = record_of("book.txt")
OLD = [f"old and new {number}" for number in range(8)] + [f"only old {number}" for number in range(6)]
# One more at the front: every chunk that stays has another place.
NEW = ["only new 0", *OLD[:4], *[f"only new {number}" for number in range(1, 7)]]
ADDED = [*OLD, *texts_of("added", 6)]


def main() -> None:
    (url,) = sys.argv[1:]
    serve(lambda words: _write(PgVectorStore(url, dimension=DIMENSION), *words))


def _write(store: PgVectorStore, action: str, nth: str) -> None:
    pgvector_publish.BATCH = ROWS_PER_WRITE
    store.files()  # opening the connections is not part of the change
    _die_at(int(nth))
    if action == "replace":
        store.replace(RECORD, chunks_of(RECORD, NEW))
    elif action == "add":
        store.add(RECORD, list(chunks_of(RECORD, ADDED))[len(OLD) :])
    else:
        store.delete(RECORD.file_id)


def _die_at(nth: int) -> None:
    moments = 0

    def moment() -> None:
        nonlocal moments
        moments += 1
        if moments == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    psycopg.Cursor.execute = _around(psycopg.Cursor.execute, moment)  # type: ignore[method-assign]  # for this process
    psycopg.Cursor.copy = _around_copy(psycopg.Cursor.copy, moment)  # type: ignore[method-assign]  # for this process
    base: Any = psycopg.Connection
    base._exec_command = _around_command(base._exec_command, moment)


def _around(execute: Any, moment: Callable[[], None]) -> Any:
    def executed(*args: Any, **kwargs: Any) -> Any:
        moment()
        result = execute(*args, **kwargs)
        moment()
        return result

    return executed


def _around_copy(copy: Any, moment: Callable[[], None]) -> Any:
    @contextmanager
    def copied(*args: Any, **kwargs: Any) -> Iterator[Any]:
        moment()
        with copy(*args, **kwargs) as writer:
            moment()
            yield writer
            moment()
        moment()

    return copied


def _around_command(command: Any, moment: Callable[[], None]) -> Any:
    def commanded(*args: Any, **kwargs: Any) -> Any:
        moment()
        result = yield from command(*args, **kwargs)
        moment()
        return result

    return commanded


if __name__ == "__main__":
    main()

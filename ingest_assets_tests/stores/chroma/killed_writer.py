"""Write to Chroma and die at a chosen write (`killing.py`).

    python -m ingest_assets_tests.stores.chroma.killed_writer LOCATION DATABASE

A request is `replace|delete N before|after`; no store is open when a child is forked.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from chromadb.api.models.Collection import Collection

from ingest_assets.stores.chroma import publish as chroma_publish
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, record_of
from ingest_assets_tests.stores.killing import serve

ROWS_PER_WRITE = 4
"""Small, so that a document of a dozen chunks is written, closed and removed in several writes."""

RECORD = record_of("book.txt")
OLD = [f"old and new {number}" for number in range(8)] + [f"only old {number}" for number in range(6)]
# One more at the front: every chunk that stays has another place, and its row is written anew.
NEW = ["only new 0", *OLD[:4], *[f"only new {number}" for number in range(1, 7)]]


def main() -> None:
    location, database = sys.argv[1:]
    serve(lambda words: _write(ChromaStore(location, database=database), *words))


def _write(store: ChromaStore, action: str, nth: str, moment: str) -> None:
    _die_at(int(nth), moment=moment)
    chroma_publish.BATCH = ROWS_PER_WRITE
    if action == "replace":
        store.replace(RECORD, chunks_of(RECORD, NEW))
    else:
        store.delete(RECORD.file_id)


def _die_at(nth: int, *, moment: str) -> None:
    writes = 0

    def dying(write: Any) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes == nth and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*args, **kwargs)
            if writes == nth and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return called

    for name in ("add", "update", "upsert", "delete"):
        setattr(Collection, name, dying(getattr(Collection, name)))


if __name__ == "__main__":
    main()

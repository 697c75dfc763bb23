"""Write to MongoDB and die at a chosen write (`killing.py`).

    python -m ingest_assets_tests.stores.atlas.killed_writer URI DATABASE VECTOR_SEARCH AT_ONCE

A request is `replace|edit|add|delete N before|after`; no store is open when a child is forked. A write is a command
that changes something, as the driver sends it.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

from pymongo import monitoring

from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas import publication as atlas_publication
from ingest_assets.stores.atlas import publish as atlas_publish
from ingest_assets.stores.atlas import remove as atlas_remove
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, record_of
from ingest_assets_tests.stores.killing import serve

ROWS_PER_WRITE = 4
"""Small, so that a document of a dozen chunks is written and removed in several writes."""

RECORD = record_of("book.txt")
OLD = [f"old and new {number}" for number in range(8)] + [f"only old {number}" for number in range(6)]
# One more at the front: every chunk that stays has another place, and its row is written anew.
NEW = ["only new 0", *OLD[:4], *[f"only new {number}" for number in range(1, 7)]]
# As long as the old ones: the rows of all other chunks stay as they are.
EDITED = [*OLD[:8], *[f"only NEW {number}" for number in range(6)]]
ADDED = [f"added {number}" for number in range(6)]

WRITES = ("insert", "update", "delete", "findAndModify", "commitTransaction")


def main() -> None:
    uri, database, vector_search, at_once = sys.argv[1:]
    atlas_publication.BATCH = atlas_remove.NAMES = ROWS_PER_WRITE
    atlas_publish.AT_ONCE = int(at_once)

    def killed(words: list[str]) -> None:
        action, nth, moment = words
        monitoring.register(Killer(int(nth), moment))
        act(AtlasStore(uri, database=database, dimension=DIMENSION, vector_search=vector_search == "1"), action)

    serve(killed)


def act(store: AtlasStore, action: str) -> None:
    if action == "delete":
        store.delete(RECORD.file_id)
    elif action == "add":
        store.add(RECORD, added())
    else:
        store.replace(RECORD, chunks_of(RECORD, NEW if action == "replace" else EDITED))


def added() -> list[EmbeddedChunk]:
    """Chunks that come after the old ones."""
    return [
        replace(each, chunk=replace(each.chunk, index=each.chunk.index + len(OLD))) for each in chunks_of(RECORD, ADDED)
    ]


class Killer(monitoring.CommandListener):
    """Ends the process at its n-th write: before it is sent, or after it is answered."""

    def __init__(self, nth: int, moment: str) -> None:
        self.nth, self.moment, self.writes = nth, moment, 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in WRITES:
            self.writes += 1
            self._perhaps("before")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name in WRITES:
            self._perhaps("after")

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    def _perhaps(self, moment: str) -> None:
        if (self.writes, self.moment) == (self.nth, moment):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()

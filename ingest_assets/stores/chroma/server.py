"""A URL in, turns at the Chroma server behind it out. The server looks after its own readers and writers.

Nothing holds a server still between two requests, so what is read in one turn may be of two moments: `chroma_search.py`
looks twice. Two hosts that publish the same file at the same moment are not kept apart by a lock; the second to commit
finds that the ledger has moved and gives up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from ingest_assets.stores.chroma.client import Handle, Place, open_server, translated


class ServedChroma:
    """Turns at a store behind a URL."""

    steady = False

    def __init__(self, url: str, place: Place) -> None:
        self.location = url
        self._place = place
        self._handle: Handle | None = None
        self._opening = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Handle]:
        """Yield the store."""
        with translated(self.location):
            yield self._opened()

    def writing(self) -> AbstractContextManager[Handle]:
        """Yield the store."""
        return self.reading()

    def owning(self, file_id: str) -> AbstractContextManager[None]:
        """Do nothing: no lock reaches every host."""
        return nullcontext()

    def compact(self) -> str:
        """Say what a client cannot do."""
        return f"Chroma at {self.location}: a server is compacted where it runs, with `chroma vacuum`"

    def close(self) -> None:
        """Let go of the connection."""
        with self._opening:
            if self._handle is not None:
                self._handle.close()
            self._handle = None

    def _opened(self) -> Handle:
        with self._opening:
            if self._handle is None:
                self._handle = open_server(self.location, self._place)
            return self._handle

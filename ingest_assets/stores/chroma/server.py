"""Read and write a Chroma server. The server coordinates its own readers and writers.

Other clients may change rows between two requests, so an answer may mix two states; `search.py` and `access.py` notice
this. Two hosts that publish the same file at the same moment are not separated by a lock: the second to commit finds
that the ledger has changed and gives up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from ingest_assets.stores.chroma.client import ChromaCollections, open_server, translated
from ingest_assets.stores.chroma.collections import ChromaPlace
from ingest_assets.stores.chroma.small_scopes.remembered_scopes import RememberedScopes


class ServedChroma:
    """Access to a store at a URL. What is read in one turn may not be a snapshot."""

    steady = False
    scopes = None
    """Other hosts write to a server: nothing beside it would learn of it."""

    def __init__(self, url: str, place: ChromaPlace) -> None:
        self.location = url
        self._place = place
        self._handle: ChromaCollections | None = None
        self._opening = threading.Lock()
        self.remembered = RememberedScopes()
        """Rows of small scopes, right only where the server's ledger says so."""

    @contextmanager
    def reading(self) -> Iterator[ChromaCollections]:
        """Yield the store."""
        with translated(self.location):
            yield self._opened()

    def writing(self) -> AbstractContextManager[ChromaCollections]:
        """Yield the store."""
        return self.reading()

    def owning(self, file_id: str) -> AbstractContextManager[None]:
        """Do nothing: no lock reaches all hosts."""
        return nullcontext()

    def building(self, name: str) -> AbstractContextManager[None]:
        """Do nothing: nothing is kept beside a server."""
        return nullcontext()

    def compact(self) -> str:
        """Return a sentence that says where to compact a server; a client cannot do it."""
        return f"Chroma at {self.location}: a server is compacted where it runs, with `chroma vacuum`"

    def close(self) -> None:
        """Close the connection, and forget rows."""
        self.remembered.close()
        with self._opening:
            if self._handle is not None:
                self._handle.close()
            self._handle = None

    def _opened(self) -> ChromaCollections:
        with self._opening:
            if self._handle is None:
                self._handle = open_server(self.location, self._place)
            return self._handle

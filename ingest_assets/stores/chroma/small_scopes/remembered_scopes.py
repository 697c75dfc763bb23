"""Remember the rows of small scopes of a Chroma server while a process searches them.

Other hosts write to a server, and nothing tells this process. So the rows of a scope are remembered with the
publications that they were read from, and a search uses them only if the server's ledger names the same ones now
(`rows_of.py`).

A scope of 500 rows takes 2 MB. They are written to temporary files that have no name: they take disk, not memory, and
nothing of a document stays when the process ends, also if it is killed.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingest_assets.stores.chroma.small_scopes.scope_rows import ScopeRows

_MOST_SCOPES = 256
"""Each is an open file, of which a process may have 1,024."""
_MOST_BYTES = 512 << 20
"""100,000 rows take 380 MB."""
_PASSED_OVER = 100
"""Searches after which a scope that was too large is looked at again."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    file: IO[bytes]
    size_bytes: int


class RememberedScopes:
    """The rows of scopes that were searched last; threads may share it."""

    def __init__(self) -> None:
        self._scopes: dict[str, _Remembered] = {}  # in the order of their last search
        self._too_large: dict[str, int] = {}
        self._changing = threading.Lock()

    def found(self, scope: str) -> ScopeRows | None:
        """Open the rows of a scope, by its key; None if they are not remembered."""
        with self._changing, suppress(OSError, ValueError):
            if (there := self._scopes.pop(scope, None)) is not None:
                self._scopes[scope] = there
                # Opened anew, since threads that share a descriptor share its place in the file, too.
                return ScopeRows(Path(f"/proc/self/fd/{there.file.fileno()}").open("rb"))
        return None

    def keep(self, scope: str, content: bytes) -> None:
        """Remember the rows of a scope; a disk that is full is no reason for a search to fail."""
        with suppress(OSError):
            file = _written(content)
            with self._changing:
                self._forget(scope)
                self._scopes[scope] = _Remembered(file, len(content))
                while len(self._scopes) > _MOST_SCOPES or self._bytes() > _MOST_BYTES:
                    self._forget(next(iter(self._scopes)))

    def was_too_large(self, scope: str) -> bool:
        """Tell whether a scope was too large a few searches ago."""
        with self._changing:
            if not self._too_large.get(scope):
                return False
            self._too_large[scope] -= 1
            return True

    def note_too_large(self, scope: str) -> None:
        """Note that a scope is too large, and forget its rows."""
        with self._changing:
            self._forget(scope)
            if len(self._too_large) >= _MOST_SCOPES:
                self._too_large.clear()
            self._too_large[scope] = _PASSED_OVER

    def close(self) -> None:
        """Forget everything."""
        with self._changing:
            for scope in list(self._scopes):
                self._forget(scope)
            self._too_large.clear()

    def _bytes(self) -> int:
        return sum(each.size_bytes for each in self._scopes.values())

    def _forget(self, scope: str) -> None:
        if (there := self._scopes.pop(scope, None)) is not None:
            there.file.close()


def _written(content: bytes) -> IO[bytes]:
    """Write to a file without a name."""
    with ExitStack() as undo:
        file = undo.enter_context(tempfile.TemporaryFile())
        file.write(content)
        file.flush()
        undo.pop_all()
        return file

"""Keep the rows of small scopes in files beside an embedded Chroma: a search of one neither waits nor asks Chroma.

While another process writes, a search of an embedded Chroma waits for each batch and opens the store again after it,
0.7 s at 100,000 rows. A scope's file is read without a lock. It is right as long as it is there:

- a process that changes what is in force in a scope removes the scope's file first, while it holds the store
  exclusively (`ledger.py`, `publish.py`); killed after that, it leaves no file that is wrong;
- a file is written by a search that finds none, while it holds the store for reading, so that nothing changes;
- it appears by renaming; a search that has opened a file reads it to its end though it is removed.

A file that is removed because another document came stays under another name until it is written again, which then
reads only what changed. After a deletion nothing stays.

A removal may be lost with the machine's power, and a folder may be copied or restored in the middle of a change. So
each file names the start of the machine and the database file that it was written for, and is of no use to others.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from ingest_assets.stores.chroma.small_scopes.scope_rows import ScopeRows

STARTED = Path("/proc/sys/kernel/random/boot_id")
"""Names the start of the machine; a sandbox that does not have it has no files of scopes."""
_IN_USE = "space_in_use"


class KeptScopes:
    """The files of one store: rows of scopes, and which space is in use."""

    def __init__(self, store: Path, *, space: str) -> None:
        """Take the store's folder and the space whose rows are kept."""
        self._database = store / "chroma.sqlite3"
        self._folder = store / "scopes"
        self._space = space or "first"

    def found(self, scope: str) -> ScopeRows | None:
        """Open the rows of a scope, by its key; None if there are none, or none that are right."""
        return self._opened(self._path(scope))

    def former(self, scope: str) -> ScopeRows | None:
        """Open the rows of a scope as they were before the last change; None if they were not kept."""
        return self._opened(self._former(scope))

    def _opened(self, path: Path) -> ScopeRows | None:
        with suppress(OSError, ValueError), ExitStack() as undo:
            rows = ScopeRows(undo.enter_context(path.open("rb")))
            if rows.written_for == self.written_for():
                undo.pop_all()
                return rows
        return None

    def keep(self, scope: str, content: bytes) -> None:
        """Keep a file; the caller holds the store for reading, and is the only one that writes this file.

        A disk that is full is no reason for a search to fail, so that errors are passed over.
        """
        with suppress(OSError):
            self._write(self._path(scope), content)
            self._former(scope).unlink(missing_ok=True)

    def drop(self, scope: str, *, deletes: bool) -> None:
        """Remove the rows of a scope that is about to change; the caller holds the store exclusively.

        If it `deletes` a document, nothing stays of the scope; else the rows serve to write the next file.
        """
        if deletes:
            for path in (self._path(scope), self._former(scope), _unfinished(self._path(scope))):
                path.unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):
                self._path(scope).replace(self._former(scope))

    def drop_all(self) -> None:
        """Remove the rows of all scopes of this space; the caller holds the store exclusively."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder / self._space)

    def space_in_use(self) -> str | None:
        """Return the space in use; None if it has to be read from the store."""
        with suppress(OSError, ValueError):
            written_for, space = msgspec.json.decode((self._folder / _IN_USE).read_bytes(), type=tuple[str, str])
            if written_for == self.written_for():
                return space
        return None

    def keep_space(self, space: str) -> None:
        """Keep which space is in use; the caller holds the store for reading."""
        with suppress(OSError):
            self._write(self._folder / _IN_USE, msgspec.json.encode((self.written_for(), space)))

    def drop_space(self) -> None:
        """Forget which space is in use before it changes; the caller holds the store exclusively."""
        (self._folder / _IN_USE).unlink(missing_ok=True)

    def written_for(self) -> str:
        """Name the store as it is here since the machine's start."""
        status = self._database.stat()
        return f"{STARTED.read_text().strip()} {status.st_dev} {status.st_ino}"

    def _path(self, scope: str) -> Path:
        return self._folder / self._space / hashlib.sha256(scope.encode()).hexdigest()[:32]

    def _former(self, scope: str) -> Path:
        return self._path(scope).with_suffix(".former")

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = _unfinished(path)
        new.write_bytes(content)
        new.replace(path)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".new")

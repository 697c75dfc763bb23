"""Let several processes read and write one embedded Chroma store safely.

Embedded Chroma is made for one process. Each process keeps the vector index in memory, never learns of rows that
another one wrote, and saves its own index over the other's (`rust/segment/src/local_hnsw.rs` of chromadb 1.5.9). Here
a command line searches while a run writes, so

- one process writes at a time, and none reads while it does (`locks.py`); a turn lasts one batch;
- every write increments a stamp, and a process that finds another stamp than its own opens the store again, some 40 ms;
- a copy of each saved index is kept while Chroma may overwrite it (`index_backup.py`), since Chroma saves in place.

After a kill the next process that opens the store puts the last whole index back, and Chroma adds the rows written
since then, at most 1,000 and one batch. At 95,000 rows each takes 6 ms of processor time. The others wait.
"""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from ingest_assets.errors import OutsideError
from ingest_assets.stores.chroma.client import ChromaCollections, open_embedded, translated
from ingest_assets.stores.chroma.collections import ChromaPlace
from ingest_assets.stores.chroma.embedded.index_backup import keep, restore, saved_indexes
from ingest_assets.stores.chroma.embedded.locks import StoreLocks
from ingest_assets.stores.chroma.small_scopes.kept_scopes import STARTED, KeptScopes

_log = logging.getLogger(__name__)
_NO_STAMP = -1


class EmbeddedChroma:
    """Access to a store in a folder. What is read in one turn is a snapshot."""

    steady = True
    remembered = None
    """What is kept beside the store serves all processes."""

    def __init__(self, path: Path, place: ChromaPlace) -> None:
        self.location = str(path)
        self._path = path
        self._place = place
        self._locks = StoreLocks(path / "locks")
        self.scopes = KeptScopes(path, space=place.space) if STARTED.is_file() else None
        """Rows of small scopes, read without a lock."""
        self._handle: ChromaCollections | None = None
        self._stamp = _NO_STAMP

    @contextmanager
    def reading(self) -> Iterator[ChromaCollections]:
        """Lock the store for reading and yield it as it is now."""
        with translated(self.location), self._locks.shared() as lock:
            if self._handle is not None and _mark(lock) == (self._stamp, False):
                yield self._handle
                return
        with translated(self.location), self._locks.exclusive() as lock:
            yield self._fresh(lock)

    @contextmanager
    def writing(self) -> Iterator[ChromaCollections]:
        """Hold the store exclusively and yield it for one write."""
        with translated(self.location), self._locks.exclusive() as lock:
            handle = self._fresh(lock)
            stamp = self._stamp + 1
            self._stamp = _NO_STAMP  # if anything fails now, what is in memory is not trusted afterwards
            keep(self._path)
            _set_mark(lock, stamp, writing=True)
            yield handle
            _set_mark(lock, stamp, writing=False)
            self._stamp = stamp

    def owning(self, file_id: str) -> AbstractContextManager[None]:
        """Hold one file's rows from the first batch to the last."""
        return self._locks.owning(file_id)

    def building(self, name: str) -> AbstractContextManager[None]:
        """Be the only one that writes a file of `scopes`; take this before the store."""
        return self._locks.building(name)

    def compact(self) -> str:
        """Run Chroma's own vacuum, which also shortens its log; no other process reads or writes during it."""
        with translated(self.location), self._locks.exclusive() as lock:
            self._fresh(lock)
            stamp = self._stamp + 1
            self.close()
            before = self._megabytes()
            _set_mark(lock, stamp, writing=True)
            _vacuum(self._path)
            _set_mark(lock, stamp, writing=False)
            return f"Chroma's vacuum: {before:.1f} MB before, {self._megabytes():.1f} MB after"

    def _megabytes(self) -> float:
        return sum(path.stat().st_size for path in self._path.rglob("*") if path.is_file()) / 1e6

    def close(self) -> None:
        """Close the store."""
        if self._handle is not None:
            self._release()
        self._handle, self._stamp = None, _NO_STAMP

    def _fresh(self, lock: int) -> ChromaCollections:
        stamp, died = _mark(lock)
        if self._handle is not None and (stamp, died) == (self._stamp, False):
            return self._handle
        self.close()
        if died:
            _log.warning(
                "%s: a process was killed while it wrote. Chroma now adds the last rows to its index again, "
                "some seconds of processor time; let it end",
                self.location,
            )
            restore(self._path)
        before = keep(self._path)
        _set_mark(lock, stamp, writing=True)  # opening replays Chroma's log, which may save the index
        self._handle = open_embedded(str(self._path), self._place)
        self._release = weakref.finalize(self, _closed, self._handle)  # also if the caller forgets to close
        # If it saved nothing, the indexes in other processes' memory are still right: they need not open again.
        self._stamp = stamp if saved_indexes(self._path) == before else stamp + 1
        _set_mark(lock, self._stamp, writing=False)
        return self._handle


def _closed(handle: ChromaCollections) -> None:
    """Close a store and give its memory back.

    Without this a process that opens the store for each read grows by 100 MB each time, since Chroma's threads keep
    each index; glibc keeps what they freed (`benchmarks/stores/README.md`, "Opened again and again").
    """
    handle.close()
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _vacuum(path: Path) -> None:
    command = [str(Path(sys.executable).with_name("chroma")), "vacuum", "--force", "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(f"Chroma's vacuum of {path} failed: {done.stderr.strip() or done.stdout.strip()}")


def _mark(lock: int) -> tuple[int, bool]:
    """Read the stamp from the lock file, and whether a writer holds the store or was killed while it did."""
    text = os.pread(lock, 32, 0).decode()
    return (int(text[:20]), text[20:21] == "w") if text else (0, False)


def _set_mark(lock: int, stamp: int, *, writing: bool) -> None:
    os.pwrite(lock, f"{stamp:020d}{'w' if writing else '-'}\n".encode(), 0)

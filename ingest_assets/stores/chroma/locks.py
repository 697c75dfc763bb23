"""A folder in, locks between processes and threads out, for stores that live in files.

`flock` on a descriptor opened for each use: it also excludes threads of one process, and the kernel lets go of it when
the holder is killed, so there is no stale lock to break. It needs a file system that has it (local disks do; some
network shares do not).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MODE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


class StoreLocks:
    """Many readers or one writer of a store, and one owner of each file's rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def shared(self) -> Iterator[int]:
        """Hold the store for reading; yield the lock file's descriptor."""
        with self._held("store", fcntl.LOCK_SH) as descriptor:
            yield descriptor

    @contextmanager
    def exclusive(self) -> Iterator[int]:
        """Hold the store for writing; yield the lock file's descriptor."""
        with self._held("store", fcntl.LOCK_EX) as descriptor:
            yield descriptor

    @contextmanager
    def owning(self, file_id: str) -> Iterator[None]:
        """Hold one file's rows, so that two attempts at the same file follow one another."""
        # 4096 names: two files that share one wait for each other now and then, and the folder does not grow.
        name = "file-" + hashlib.sha256(file_id.encode()).hexdigest()[:3]
        with _locked(self._folder / name, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _held(self, name: str, kind: int) -> Iterator[int]:
        # Everybody passes the gate one by one, so readers that come in a stream cannot keep a writer out.
        with _locked(self._folder / "gate", fcntl.LOCK_EX):
            descriptor = _take(self._folder / name, kind)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[int]:
    descriptor = _take(path, kind)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(path: Path, kind: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, _MODE, 0o666)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor

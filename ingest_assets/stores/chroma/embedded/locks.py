"""Lock an embedded Chroma store against other processes and threads.

`flock` on a descriptor opened for each use also excludes threads of the same process, and the kernel releases it when
the holder is killed, so no stale lock has to be broken. It needs a file system that supports it (local disks do; some
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
    """Many readers or one writer of a store, one owner of each file's rows, one writer of what is kept beside it."""

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
        """Hold one file's rows, so that two publications of the same file follow one another."""
        # 4,096 names: two files that share one may wait for each other, and the folder does not grow.
        name = "file-" + hashlib.sha256(file_id.encode()).hexdigest()[:3]
        with _locked(self._folder / name, fcntl.LOCK_EX):
            yield

    @contextmanager
    def building(self, name: str) -> Iterator[None]:
        """Be the only one that writes what is kept beside the store under this name; nothing else waits for it."""
        with _locked(self._folder / ("kept-" + hashlib.sha256(name.encode()).hexdigest()[:2]), fcntl.LOCK_EX):
            yield

    @contextmanager
    def _held(self, name: str, kind: int) -> Iterator[int]:
        # All take the gate's lock one by one, so a stream of readers cannot keep a writer waiting for ever.
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

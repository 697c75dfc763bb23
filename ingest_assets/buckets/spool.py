"""Keep copies of objects on this machine while they are read, within a size that all processes of the host share.

    SPOOL/.lock           held while the folder is looked at or changed, never while bytes arrive
    SPOOL/NAME            a whole copy of one version of one object
    SPOOL/NAME.N.part     a copy that is arriving, and will be N bytes long

A process holds a `flock` on each copy that it reads or writes. The kernel releases the lock with the process, also
under `kill -9`, so a copy without a lock is one that no process uses. If it is unfinished, it is removed at once. If it
is whole, it stays for the next stage of the run. It goes when its process ends, when another copy needs the room, or
when it was not used for a while.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.local_files import locked

_PART = ".part"
_UNUSED_S = 900.0  # the pause between two stages that read the file: captions of some hundred pictures take this long
_WAIT_S = 300.0  # the copies of other runs go when these end; a run of a large file takes minutes
_LOOK_EVERY_S = 0.2


class Spool:
    """The folder of copies."""

    def __init__(self, folder: Path, *, max_bytes: int, wait_s: float = _WAIT_S) -> None:
        """Take the folder, the size of all copies together, and how long to wait for room."""
        self._folder, self._max_bytes, self._wait_s = folder, max_bytes, wait_s
        self._last: list[tuple[int, Path]] = []
        weakref.finalize(self, _remove_last, folder, self._last)

    @contextmanager
    def copy(self, name: str, *, size_bytes: int, key: str, fill: Callable[[BinaryIO], None]) -> Iterator[Path]:
        """Give the copy of this name for as long as the context lasts; `fill` writes it if it is not there.

        Raises:
            BadInput: the object is larger than the spool.
            OutsideError: the disk is full, or others' copies leave no room for too long.
        """
        if size_bytes > self._max_bytes:
            raise BadInput(
                f"{key}: {size_bytes / 1e6:,.1f} MB is more than the {self._max_bytes / 1e6:,.0f} MB of the spool, "
                "through which files of a bucket are read; split the file, or raise INGEST_SPOOL_MB"
            )
        path = self._folder / name
        try:
            held = self._held(path, size_bytes=size_bytes, key=key, fill=fill)
        except OSError as error:
            raise OutsideError(f"{self._folder}: cannot be written ({error.strerror}); is the disk full?") from error
        with held:
            yield path
            with suppress(FileNotFoundError):
                os.utime(path)
        if self._last != [(os.getpid(), path)]:
            self.release()
            self._last[:] = [(os.getpid(), path)]

    def release(self) -> None:
        """Remove the copy that this process used last, unless another uses it."""
        _remove_last(self._folder, self._last)

    def _held(self, path: Path, *, size_bytes: int, key: str, fill: Callable[[BinaryIO], None]) -> BinaryIO:
        """Open the copy with a lock on it, and make it first if it is not there."""
        part = path.with_name(f"{path.name}.{size_bytes}{_PART}")
        held, is_whole = self._reserve(path, part, key)
        if is_whole:
            return held
        try:
            fill(held)
            held.flush()
            with locked(self._folder / ".lock"):
                part.replace(path)
                fcntl.flock(held, fcntl.LOCK_SH)
        except BaseException:
            with held:
                part.unlink(missing_ok=True)
            raise
        return held

    def _reserve(self, path: Path, part: Path, key: str) -> tuple[BinaryIO, bool]:
        """Open and lock the copy, or the part that is going to be it; tell whether it is whole.

        If another process makes the same copy, or there is no room for it, wait.
        """
        deadline, pause = time.monotonic() + self._wait_s, threading.Event()
        while True:
            with locked(self._folder / ".lock"):
                with suppress(FileNotFoundError):
                    return _locked_file(path, "rb", fcntl.LOCK_SH), True
                if self._has_room(_size(part)) and not part.exists():
                    return _locked_file(part, "xb", fcntl.LOCK_EX), False
            if time.monotonic() > deadline:
                raise OutsideError(
                    f"{key}: it was not read, because other runs use all {self._max_bytes / 1e6:,.0f} MB of the spool "
                    f"{self._folder}; it is tried again. If this happens often, raise INGEST_SPOOL_MB"
                )
            pause.wait(_LOOK_EVERY_S)

    def _has_room(self, wanted: int) -> bool:
        """Remove copies that no process uses: unfinished and old ones, and others as room is needed."""
        used, idle = 0, []
        for path in self._folder.iterdir():
            if path.name == ".lock":
                continue
            if _is_in_use(path):
                used += _size(path)
            elif path.name.endswith(_PART) or time.time() - path.stat().st_mtime > _UNUSED_S:
                path.unlink(missing_ok=True)
            else:
                idle.append((path.stat().st_mtime, path))
        room = self._max_bytes - used - sum(_size(path) for _, path in idle)
        for _, path in sorted(idle):
            if room >= wanted:
                break
            room += _size(path)
            path.unlink(missing_ok=True)
        return room >= wanted


def _locked_file(path: Path, mode: str, lock: int) -> BinaryIO:
    file = path.open(mode)
    fcntl.flock(file, lock)
    return file  # type: ignore[return-value]  # both modes are binary


def _is_in_use(path: Path) -> bool:
    """Tell whether a process has the file locked; False if it is gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _size(path: Path) -> int:
    """Return how many bytes a copy has, or will have when it has arrived."""
    if path.name.endswith(_PART):
        return int(path.name.split(".")[-2])
    return path.stat().st_size


def _remove_last(folder: Path, last: list[tuple[int, Path]]) -> None:
    """Remove the copy that this process used last, unless another uses it."""
    for pid, path in last:
        if pid == os.getpid():
            with suppress(OSError), locked(folder / ".lock"):
                if not _is_in_use(path):
                    path.unlink(missing_ok=True)
    last.clear()

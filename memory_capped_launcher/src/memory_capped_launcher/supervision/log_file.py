"""Write what a run prints into one file of bounded size.

The supervisor is the only reader of the run's standard output and error. This needs no process per step, and a run that
prints without end cannot fill the disk. The beginning goes to the file; the end stays in memory until the run is over.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_KEEP_HEAD = 4 << 20
_KEEP_TAIL = 256 << 10
_KEEP_FILES = 500  # listing the folder costs a millisecond


class LogFile:
    """The file `logs/RUN_ID.log` and the pipe that fills it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reader, False)
        self._head = 0
        self._dropped = 0
        self._tail = b""

    def attach(self) -> None:
        """Send this process's standard output and error into the pipe; the run's process calls this."""
        os.dup2(self._writer, 1)
        os.dup2(self._writer, 2)

    def detach(self) -> None:
        """Close the writing end; the supervisor calls this when the run's process has it."""
        os.close(self._writer)

    def drain(self) -> bool:
        """Read what is in the pipe; False if no process can write to it any more."""
        with suppress(BlockingIOError):
            while part := os.read(self.reader, 1 << 16):
                self._keep(part)
            return False
        return True

    def close(self) -> None:
        """Read the rest, write the end to the file, and close the pipe."""
        self.drain()
        os.close(self.reader)
        left_out = self._dropped - len(self._tail)
        if left_out > 0:
            self._append(f"\n[… {left_out} bytes left out …]\n".encode())
        if self._dropped:
            self._append(self._tail)

    def mentions(self, words: tuple[bytes, ...]) -> bool:
        """Return whether one of these is near the end of what was printed."""
        end = self._tail
        if not end:
            with suppress(OSError), self.path.open("rb") as file:
                file.seek(max(0, self._head - _KEEP_TAIL))
                end = file.read()
        return any(word in end for word in words)

    def _keep(self, part: bytes) -> None:
        head, rest = part[: _KEEP_HEAD - self._head], part[_KEEP_HEAD - self._head :]
        self._head += len(head)
        self._append(head)
        self._dropped += len(rest)
        self._tail = (self._tail + rest)[-_KEEP_TAIL:]

    def _append(self, part: bytes) -> None:
        """Append to the file; on a full disk the log is lost and the run goes on."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, part)
            finally:
                os.close(descriptor)


def keep_the_newest(folder: Path) -> None:
    """Remove all logs except those of the newest 500 runs."""
    with suppress(OSError):
        logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in logs[:-_KEEP_FILES]:
            path.unlink(missing_ok=True)

"""Start processes, watch them, and end all of them when one ends or a signal comes.

`ingest up` runs the parts of the system with it, on a person's machine and as the first process of a container. There
it also has to collect processes that other processes left behind, which nothing else would do.

The parts run in sessions of their own, so that Ctrl-C reaches this process alone and the parts are ended in order. If
this process is killed, the kernel kills them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from memory_capped_launcher.linux import die_with_parent

GRACE_S = 45.0
"""Parts that are to end have so long; the service gives uploads 30 s of it."""
_LOOK_EVERY_S = 0.1
_ASKING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_WATCHED = _ASKING | {signal.SIGCHLD}


@dataclass(frozen=True, slots=True)
class SystemPart:
    """A process to run."""

    name: str
    command: Sequence[str]
    ends_last: bool = False
    """Others need it until they have ended."""


class PartEnded(Exception):
    """A part ended by itself."""

    def __init__(self, part: SystemPart, status: int) -> None:
        """Take the part and its exit code, or minus the number of the signal that killed it."""
        super().__init__(f"{part.name} {_how(status)}")
        self.exit_code = status if status > 0 else 1


class EndAsked(Exception):
    """A signal asked everything to end."""


def _how(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit code {status}"


class Children:
    """The parts that run; all of them end with the block."""

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        """Take how long parts have to end."""
        self._grace_s = grace_s
        self._running: dict[int, SystemPart] = {}
        self._mask: set[signal.Signals | int] = set()

    def __enter__(self) -> Self:
        """Take signals from now on when they are asked for, and not before."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what runs."""
        self._end([pid for pid, part in self._running.items() if not part.ends_last])
        self._end(list(self._running))
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def run(self, part: SystemPart) -> None:
        """Run a part to its end.

        Raises:
            PartEnded: it failed, or another part ended.
            EndAsked: a signal came.
        """
        pid = self._start(part)
        while pid in self._running:
            self._raise_for(self._next(None), awaited=pid)

    def start(self, part: SystemPart, *, is_up: Callable[[], bool] = lambda: True) -> None:
        """Start a part and wait until it is up.

        Raises:
            PartEnded: it, or another part, ended.
            EndAsked: a signal came.
        """
        self._start(part)
        while not is_up():
            self._raise_for(self._next(_LOOK_EVERY_S))

    def watch(self) -> None:
        """Wait until a part ends or a signal comes.

        Raises:
            PartEnded: a part ended.
            EndAsked: a signal came.
        """
        while True:
            self._raise_for(self._next(None))

    def _start(self, part: SystemPart) -> int:
        ours = os.getpid()

        def become() -> None:
            for asking in _ASKING:  # whoever started this process may ignore or block them, and parts are ended by one
                signal.signal(asking, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask - _WATCHED)
            die_with_parent(ours)

        process = subprocess.Popen(part.command, start_new_session=True, preexec_fn=become)
        self._running[process.pid] = part
        process.returncode = 0  # it is collected here and not by `Popen`, whose destructor would complain
        return process.pid

    def _next(self, within_s: float | None) -> signal.Signals | None:
        """Return the next signal; None if none came in time."""
        if within_s is None:
            return signal.Signals(signal.sigwait(_WATCHED))
        found = signal.sigtimedwait(_WATCHED, max(within_s, 0.0))
        return signal.Signals(found.si_signo) if found else None

    def _raise_for(self, came: signal.Signals | None, *, awaited: int = 0) -> None:
        if came in _ASKING:
            raise EndAsked
        for pid, part, status in self._collected():
            if pid != awaited or status:
                raise PartEnded(part, status)

    def _collected(self) -> Iterator[tuple[int, SystemPart, int]]:
        """Collect all processes that have ended, and yield those that are parts, with how they ended."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if part := self._running.pop(ended[0], None):
                    yield ended[0], part, os.waitstatus_to_exitcode(ended[1])

    def _end(self, pids: Sequence[int]) -> None:
        """Ask processes to end; kill them with their sessions when their time is over, or at a second signal."""
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._grace_s
        while self._running.keys() & set(pids):
            came = self._next(until - time.monotonic())
            for _ in self._collected():
                pass
            if came in _ASKING or time.monotonic() > until:
                for pid in self._running.keys() & set(pids):
                    os.killpg(pid, signal.SIGKILL)

"""A process in, its descendants and the memory they hold out.

What counts is anonymous and shared memory, each page once: what the kernel cannot drop and cannot write elsewhere
without swap. Pages of files, mapped model weights among them, can be dropped and do not count.

`statm` costs 0.015 ms a process but counts a page once for each process that shares it after a fork; `smaps_rollup`
divides such pages among them, and costs 11 ms at 850 MB. So `Gauge` reads the cheap one at every look and the exact one
rarely: when its last reading is old or a new peak is due, and always before it says that a cap was passed.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") >> 10
_EXACT_EVERY_S = 2.0
_NEW_PEAK = 1.1  # a peak is told to 10 %: a run that grows to 1 GB is read exactly some 30 times


class Gauge:
    """How much memory a tree of processes holds, and has held at most."""

    def __init__(self, cap_mb: int) -> None:
        self.peak_mb = 0.0
        self._cap_kb = cap_mb << 10
        self._shared_kb = 0
        self._exact_at = float("-inf")

    def over_cap(self, pids: list[int]) -> bool:
        """Look: do these processes hold more than the cap?"""
        cheap = sum(_cheap_kb(pid) for pid in pids)
        now = time.monotonic()
        held = cheap - self._shared_kb
        if now - self._exact_at > _EXACT_EVERY_S or held > min(self._cap_kb, self.peak_mb * 1024 * _NEW_PEAK):
            self._exact_at = now
            self._shared_kb = max(0, cheap - sum(own_kb(pid) for pid in pids))
        held = cheap - self._shared_kb
        self.peak_mb = max(self.peak_mb, held / 1024)
        return held > self._cap_kb


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on; not the process itself."""
    found: list[int] = []
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def kill_descendants(pid: int, *, within_s: float = 5.0) -> bool:
    """Kill every descendant of this very process and reap those that come to it; False where some outlived it.

    A process may have forked between the look and the kill, so it looks again until there is none.
    """
    deadline = time.monotonic() + within_s
    while pids := descendants(pid):
        for one in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)
        _reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def data_kb(pid: int | str = "self") -> int:
    """Return what the kernel counts against `RLIMIT_DATA` in a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1])
    return 0


def own_kb(pid: int) -> int:
    """Return the anonymous and shared memory of a process, each page divided among those that share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    fields = dict(line.split()[:2] for line in lines[1:])
    return int(fields.get("Pss_Anon:", 0)) + int(fields.get("Pss_Shmem:", 0))


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _cheap_kb(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
        return int(fields[1]) * _PAGE_KB
    except (OSError, IndexError):
        return 0

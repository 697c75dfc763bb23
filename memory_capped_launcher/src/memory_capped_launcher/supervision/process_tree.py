"""Find the descendants of a process and measure the memory that they hold.

One measure is used everywhere: anonymous and shared memory, each page counted once. The kernel cannot drop this memory,
and without swap it cannot write it elsewhere. Pages of files, mapped model weights among them, can be dropped and do
not count, neither for a cap nor for a peak.

`/proc/PID/status` costs 0.02 ms a process but counts a page once for each process that shares it after a fork.
`smaps_rollup` divides such pages among the processes that share them and costs 11 ms at 850 MB. So `MemoryGauge` reads
the cheap one at every look. It reads the exact one when its last exact reading is old, when a new peak is due, and
always before it says that a cap was passed.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_EXACT_EVERY_S = 2.0
_NEW_PEAK = 1.1  # a peak is exact to 10 %: a run that grows to 1 GB is read exactly some 30 times


class MemoryGauge:
    """Measures how much memory a tree of processes holds, and remembers the most."""

    def __init__(self, cap_mb: float = float("inf")) -> None:
        self.peak_mb = 0.0
        self._cap_kb = cap_mb * 1024
        self._shared_kb = 0
        self._exact_at = float("-inf")

    def over_cap(self, pids: list[int]) -> bool:
        """Measure these processes; return whether they hold more than the cap together."""
        counted_kb = sum(_resident_kb(pid) for pid in pids)
        now = time.monotonic()
        held_kb = counted_kb - self._shared_kb
        if now - self._exact_at > _EXACT_EVERY_S or held_kb > min(self._cap_kb, self.peak_mb * 1024 * _NEW_PEAK):
            self._exact_at = now
            self._shared_kb = max(0, counted_kb - sum(unreclaimable_kb(pid) for pid in pids))
            held_kb = counted_kb - self._shared_kb
        self.peak_mb = max(self.peak_mb, held_kb / 1024)
        return held_kb > self._cap_kb


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on; not the process itself."""
    found: list[int] = []
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def kill_descendants(pid: int, *, within_s: float = 5.0) -> bool:
    """Kill every descendant of this process, `pid`, and collect those that end; False if some are left.

    A process may fork between the look and the kill, so the search is repeated until it finds none.
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


def rlimit_data_kb(pid: int | str = "self") -> int:
    """Return the memory of a process that the kernel counts against `RLIMIT_DATA`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1])
    return 0


def unreclaimable_kb(pid: int) -> int:
    """Return the anonymous and shared memory of a process, each page divided among the processes that share it."""
    return _sum_kb(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))


def _resident_kb(pid: int) -> int:
    """Return the anonymous and shared memory of a process, with each page that it shares counted in full."""
    return _sum_kb(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:"))


def _sum_kb(path: str, names: tuple[str, str]) -> int:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:  # the process has ended
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass

"""Choose the strongest memory cap that this host allows for a run.

The first choice is cgroup v2. If no group was delegated to this user, each process gets `RLIMIT_DATA` near the cap, so
that a large allocation ends as a `MemoryError` that names its line. A watchdog adds up the whole tree of processes and
kills it at 100 %, because the limit does not see file mappings, shared memory, and several processes that are over the
cap together.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Protocol

from memory_capped_launcher.limits import RunLimits
from memory_capped_launcher.supervision.cgroups import CgroupCap, likely_parent, usable_parent
from memory_capped_launcher.supervision.process_tree import MemoryGauge, rlimit_data_kb, unreclaimable_kb

# 10 % between a clean MemoryError and the kill: the memory that Dagster needs to write the failure down.
_RLIMIT_SHARE = 0.9
# The kernel also counts memory that is reserved and never touched: thread stacks and allocators' arenas. At a limit
# of 193 MB, a run with OpenVINO and Chroma was refused memory while it held 137 MB; it would have ended at 194 MB.
# Libraries then fail with messages of their own. The watchdog judges by the memory that is really held.
_RESERVED_MB = 192


class Cap(Protocol):
    """One way to limit the memory of a run."""

    how: str
    """The mechanism in words, for the run's first event."""

    @property
    def group(self) -> Path | None:
        """The run's cgroup; another process removes it if the supervisor dies."""

    @property
    def peak_mb(self) -> float:
        """The most memory that the run has held of the kind that the kernel cannot take back, in MB."""

    def enter(self) -> None:
        """Put the calling process under the cap; the run's process calls this before anything else."""

    def over_cap(self, pids: list[int]) -> bool:
        """Measure the run's processes; return whether they must be killed now."""

    def was_exceeded(self) -> bool:
        """Return whether it is proved that the cap ended processes of the run."""

    def close(self) -> None:
        """Remove everything that enforced the cap."""


class WatchedCap:
    """Limits each process by `RLIMIT_DATA` and the whole tree by a watchdog."""

    group: Path | None = None

    def __init__(self, cap_mb: int, *, why_not_cgroup: str) -> None:
        self._gauge = MemoryGauge(cap_mb)
        self._exceeded = False
        self._limit_mb = int(cap_mb * _RLIMIT_SHARE) + _RESERVED_MB
        self.how = f"RLIMIT_DATA at {self._limit_mb} MB and a watchdog at {cap_mb} MB (no cgroup v2: {why_not_cgroup})"

    @property
    def peak_mb(self) -> float:
        return self._gauge.peak_mb

    def enter(self) -> None:
        # The kernel counts memory inherited from the warm process in full; the watchdog counts the run's share of it.
        inherited = rlimit_data_kb() - unreclaimable_kb(os.getpid())
        limit = (inherited << 10) + (self._limit_mb << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))

    def over_cap(self, pids: list[int]) -> bool:
        self._exceeded |= self._gauge.over_cap(pids)
        return self._exceeded

    def was_exceeded(self) -> bool:
        return self._exceeded

    def close(self) -> None:
        return None


def lift_memory_limit() -> None:
    """Lift this process's `RLIMIT_DATA` after an allocation was refused; the watchdog still counts.

    The traceback keeps in memory what was allocated, and Dagster needs some more to write the failure down.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def open_cap(run_id: str, limits: RunLimits) -> Cap:
    """Return the cap for a run; the run's process has yet to enter it."""
    parent = usable_parent(limits.cgroup_root)
    if isinstance(parent, str):
        return WatchedCap(limits.cap_mb, why_not_cgroup=parent)
    try:
        return CgroupCap(parent, run_id, limits.cap_mb)
    except OSError as error:
        return WatchedCap(limits.cap_mb, why_not_cgroup=f"{parent}: {error.strerror}")


def cap_in_force(cgroup_root: str | None, *, pid: int | str = "self") -> str:
    """Return in words how caps are enforced on runs that a process starts, without changing anything."""
    parent = likely_parent(cgroup_root, pid)
    if isinstance(parent, str):
        return f"RLIMIT_DATA and a watchdog (no cgroup v2: {parent})"
    return f"cgroup v2 in {parent}"

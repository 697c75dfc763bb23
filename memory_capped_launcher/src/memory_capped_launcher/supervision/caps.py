"""A run's limits in, the strongest cap that this host allows out.

cgroup v2 is the real thing. Where no group was delegated, each process gets `RLIMIT_DATA` near the cap, which
ends a large allocation as a `MemoryError` that names its line, and a watchdog sums the whole tree and kills at 100 %:
what the limit does not see are file mappings, shared memory and several processes that are over the cap together.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Protocol

from memory_capped_launcher.limits import Limits
from memory_capped_launcher.supervision.cgroups import CgroupCap, likely_parent, usable_parent
from memory_capped_launcher.supervision.process_tree import Gauge, data_kb, own_kb

# 10 % between a clean MemoryError and the kill: what Dagster needs to write the failure down.
_RLIMIT_SHARE = 0.9
# The kernel counts what is reserved, too: thread stacks and allocators' arenas. A run with OpenVINO and Chroma in it
# was refused memory at a limit of 193 MB while it held 137 and would have ended at 194; libraries then fail in words of
# their own. What is really held is the watchdog's to judge.
_RESERVED_MB = 192


class Cap(Protocol):
    """What holds one run's memory."""

    how: str
    """In words, for the run's first event."""

    @property
    def group(self) -> Path | None:
        """The run's cgroup, for whoever clears up after a supervisor that died."""

    @property
    def peak_mb(self) -> float:
        """The most that was held so far."""

    def enter(self) -> None:
        """Put this very process under the cap; called in the run's process, before anything else."""

    def over_cap(self, pids: list[int]) -> bool:
        """Look at the run's processes; True where they must be killed now."""

    def was_exceeded(self) -> bool:
        """Is there proof that the cap ended processes of the run?"""

    def close(self) -> None:
        """Leave nothing behind."""


class WatchedCap:
    """`RLIMIT_DATA` for each process and a watchdog over all."""

    group: Path | None = None

    def __init__(self, cap_mb: int, *, why_not_cgroup: str) -> None:
        self._gauge = Gauge(cap_mb)
        self._exceeded = False
        self._limit_mb = int(cap_mb * _RLIMIT_SHARE) + _RESERVED_MB
        self.how = f"RLIMIT_DATA at {self._limit_mb} MB and a watchdog at {cap_mb} MB (no cgroup v2: {why_not_cgroup})"

    @property
    def peak_mb(self) -> float:
        return self._gauge.peak_mb

    def enter(self) -> None:
        # The kernel counts what was inherited from the warm process in full, the watchdog by the run's share in it.
        inherited = data_kb() - own_kb(os.getpid())
        limit = (inherited << 10) + (self._limit_mb << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))

    def over_cap(self, pids: list[int]) -> bool:
        self._exceeded |= self._gauge.over_cap(pids)
        return self._exceeded

    def was_exceeded(self) -> bool:
        return self._exceeded

    def close(self) -> None:
        return None


def leave_room() -> None:
    """Lift this process' own limit, once it has said that it ran out: the failure must be written down with what the
    traceback still holds in memory. The watchdog goes on counting."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def open_cap(run_id: str, limits: Limits) -> Cap:
    """Return the cap for a run, ready to be entered."""
    parent = usable_parent(limits.cgroup_root)
    if isinstance(parent, str):
        return WatchedCap(limits.cap_mb, why_not_cgroup=parent)
    try:
        return CgroupCap(parent, run_id, limits.cap_mb)
    except OSError as error:
        return WatchedCap(limits.cap_mb, why_not_cgroup=f"{parent}: {error.strerror}")


def cap_in_force(cgroup_root: str | None, *, pid: int | str = "self") -> str:
    """Say how caps are enforced on runs that a process starts, for a person; nothing is changed."""
    parent = likely_parent(cgroup_root, pid)
    if isinstance(parent, str):
        return f"RLIMIT_DATA and a watchdog (no cgroup v2: {parent})"
    return f"cgroup v2 in {parent}"

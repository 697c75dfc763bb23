"""Make one group per run in a delegated cgroup v2, in which the kernel caps the run's memory.

A parent group is usable if this user may make groups in it and pass the memory controller on to them. The kernel does
not pass it on from a group that holds processes itself ("no internal processes"). There are three candidates: the group
that the operator names, this process's own group if it was prepared, and its parent (systemd's `Delegate=yes` with
`DelegateSubgroup=`). `usable_parent` finds out by trying, with a group that it removes again.
Files and rules: https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_MB = 1 << 20
_PREFIX = "memory-capped-"
_NO_CONTROLLER = "the memory controller is not there"
_NEARLY_ALL = 0.95  # share of the cap that is held by memory which the kernel cannot take back
# Share of the last ten seconds in which every process of the group waited for memory. A run that stood still at its cap
# waited 14 to 17 % of the time in emulation (benchmarks/launcher/README.md).
_STALLED_PERCENT = 10.0


class CgroupCap:
    """One run's group: the kernel enforces the cap, on the run and all its children at once."""

    def __init__(self, parent: Path, run_id: str, cap_mb: int) -> None:
        self.group = _make(parent, run_id, cap_mb)
        self._cap_mb, self._seen_mb = cap_mb, 0.0
        self.how = f"cgroup v2 (memory.max in {self.group})"

    def enter(self) -> None:
        """Move this process into the group."""
        (self.group / "cgroup.procs").write_text("0")

    def over_cap(self, pids: list[int]) -> bool:
        """Measure the group; return whether the run stands still at its cap.

        The kernel ends a group that goes over its cap. Before that, it takes away the pages of libraries and files and
        lets the run read them again, for hours. A run whose unreclaimable memory is nearly all of its cap and which
        keeps waiting for memory is over its cap, too.
        """
        with suppress(OSError, ValueError):
            held_mb = self._unreclaimable_mb()
            self._seen_mb = max(self._seen_mb, held_mb)
            return held_mb >= _NEARLY_ALL * self._cap_mb and self._stalls()
        return False

    def _unreclaimable_mb(self) -> float:
        """Return the memory that the kernel cannot take back without swap, in MB."""
        kinds = dict(line.split() for line in (self.group / "memory.stat").read_text().splitlines())
        return sum(int(kinds.get(kind, 0)) for kind in ("anon", "shmem", "kernel")) / _MB

    def _stalls(self) -> bool:
        """Return whether the group keeps waiting for memory; False if the kernel does not measure it (`psi=0`)."""
        for line in _read(self.group / "memory.pressure").splitlines():
            if line.startswith("full "):
                return float(line.split()[1].removeprefix("avg10=")) >= _STALLED_PERCENT
        return False

    def was_exceeded(self) -> bool:
        """Return whether the kernel killed a process of this group for memory."""
        events = dict(line.split() for line in _read(self.group / "memory.events").splitlines())
        return int(events.get("oom_kill", 0)) > 0

    @property
    def peak_mb(self) -> float:
        """The most memory that the group has held of the kind that the kernel cannot take back, in MB.

        It is the highest of the measurements, one every 50 ms. If the kernel killed in the group, it had found no page
        to take back, so its own mark counts as well (`memory.peak`, from Linux 5.19 on). At any other time that mark
        tells nothing: pages of files that were read fill every group up to its cap.
        """
        mark = _read(self.group / "memory.peak").strip() if self.was_exceeded() else ""
        return max(self._seen_mb, int(mark) / _MB if mark.isdigit() else 0.0)

    def close(self, *, within_s: float = 2.0) -> None:
        """Kill the processes that are left in the group and remove it."""
        remove(self.group, within_s=within_s)


def remove(group: Path, *, within_s: float = 2.0) -> None:
    """Kill the processes that are left in a run's group and remove it."""
    with suppress(OSError):  # exists from Linux 5.14 on; the supervisor also kills process by process
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError:  # busy until the last process has been collected
            time.sleep(0.01)
    return None


def usable_parent(named: str | None, *, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> Path | str:
    """Return the group in which the runs' groups are made, or why there is none."""
    return _first(named, "self", root, proc, _unusable)


def likely_parent(
    named: str | None, pid: int | str, *, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")
) -> Path | str:
    """Return what `usable_parent` would return in another process, as far as reading alone can tell."""
    return _first(named, pid, root, proc, _looks_unusable)


def _first(named: str | None, pid: int | str, root: Path, proc: Path, objection: Callable[[Path], str]) -> Path | str:
    candidates = [Path(named)] if named else _groups_of(pid, root, proc)
    reasons = [] if candidates else [f"no cgroup v2 hierarchy at {root}"]
    for candidate in candidates:
        reason = objection(candidate)
        if not reason:
            return candidate
        reasons.append(f"{candidate}: {reason}")
    return "; ".join(reasons)


def _groups_of(pid: int | str, root: Path, proc: Path) -> list[Path]:
    if not (root / "cgroup.controllers").exists():
        return []
    for line in _read(proc / str(pid) / "cgroup").splitlines():
        if line.startswith("0::"):
            own = root / line[3:].lstrip("/")
            return [own] if own == root else [own, own.parent]
    return []


def _unusable(group: Path) -> str:
    """Try to use a group; return the kernel's objection, empty if there is none."""
    if "memory" not in _read(group / "cgroup.controllers").split():
        return _NO_CONTROLLER
    try:
        if "memory" not in _read(group / "cgroup.subtree_control").split():
            (group / "cgroup.subtree_control").write_text("+memory")
        _make(group, f"probe-{os.getpid()}", 16).rmdir()
    except OSError as error:
        return str(error.strerror)
    return ""


def _looks_unusable(group: Path) -> str:
    """Read a group's files; return the objection that the kernel would have, empty if none."""
    if "memory" not in _read(group / "cgroup.controllers").split():
        return _NO_CONTROLLER
    # Only the root group may hold processes and pass a controller on; it has no cgroup.type.
    if "memory" not in _read(group / "cgroup.subtree_control").split():
        if (group / "cgroup.type").exists() and _read(group / "cgroup.procs").strip():
            return os.strerror(errno.EBUSY)
        if not os.access(group / "cgroup.subtree_control", os.W_OK):
            return os.strerror(errno.EACCES)
    return "" if os.access(group, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def _make(parent: Path, name: str, cap_mb: int) -> Path:
    group = parent / f"{_PREFIX}{name}"
    group.mkdir(exist_ok=True)
    try:
        (group / "memory.max").write_text(str(cap_mb * _MB))
        (group / "memory.oom.group").write_text("1")
        if (group / "memory.swap.max").exists():  # missing if the kernel does not account for swap
            (group / "memory.swap.max").write_text("0")
    except OSError:
        group.rmdir()
        raise
    return group


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

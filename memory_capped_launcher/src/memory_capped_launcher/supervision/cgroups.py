"""A delegated cgroup v2 in, one group per run out, with its memory capped by the kernel.

A group is usable when this user may make groups in it and hand the memory controller down to them. The kernel refuses
the latter for a group that holds processes itself ("no internal processes"), so the usual places are: the folder that
the operator names, this process's own group where it was prepared, and its parent (systemd's `Delegate=yes` with
`DelegateSubgroup=`). Whether one is usable is found out by trying, on a group that is removed again.
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
_NEARLY_ALL = 0.95  # of the cap, held by what the kernel cannot take back
# Of the last ten seconds, in which every process of the group waited for memory. A run that stood still at its cap
# waited 14 to 17 % of the time in emulation (docs/launcher.md).
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
        """Note what is held, and tell whether the run stands still at its cap.

        The kernel ends what goes over. Short of that, it takes the pages of libraries and files away and lets the run
        read them again, for hours: a run whose own memory is nearly all of its cap and which keeps waiting is over it.
        """
        with suppress(OSError, ValueError):
            held_mb = int((self.group / "memory.current").read_text()) / _MB
            self._seen_mb = max(self._seen_mb, held_mb)
            return (
                held_mb >= _NEARLY_ALL * self._cap_mb
                and self._own_mb() >= _NEARLY_ALL * self._cap_mb
                and self._stalls()
            )
        return False

    def _own_mb(self) -> float:
        """Return what the kernel cannot take back without swap, in MB."""
        kinds = dict(line.split() for line in (self.group / "memory.stat").read_text().splitlines())
        return sum(int(kinds.get(kind, 0)) for kind in ("anon", "shmem", "kernel")) / _MB

    def _stalls(self) -> bool:
        """Tell whether the group keeps waiting for memory; no where the kernel does not measure it (`psi=0`)."""
        for line in _read(self.group / "memory.pressure").splitlines():
            if line.startswith("full "):
                return float(line.split()[1].removeprefix("avg10=")) >= _STALLED_PERCENT
        return False

    def was_exceeded(self) -> bool:
        """Did the kernel kill for memory in this group?"""
        events = dict(line.split() for line in _read(self.group / "memory.events").splitlines())
        return int(events.get("oom_kill", 0)) > 0

    @property
    def peak_mb(self) -> float:
        """The most that was held; `memory.peak` is there from Linux 5.19 on, below it the looks have to do."""
        peak = _read(self.group / "memory.peak").strip()
        return max(self._seen_mb, int(peak) / _MB if peak.isdigit() else 0.0)

    def close(self, *, within_s: float = 2.0) -> None:
        """Kill what is left in the group and remove it."""
        remove(self.group, within_s=within_s)


def remove(group: Path, *, within_s: float = 2.0) -> None:
    """Kill what is left in a run's group and remove it."""
    with suppress(OSError):  # there from Linux 5.14 on; the supervisor kills by process as well
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError:  # busy until the last process has been reaped
            time.sleep(0.01)
    return None


def usable_parent(named: str | None, *, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> Path | str:
    """Return the group in which runs get theirs, or why there is none."""
    return _first(named, "self", root, proc, _unusable)


def likely_parent(
    named: str | None, pid: int | str, *, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")
) -> Path | str:
    """Return what `usable_parent` would for another process, as far as can be seen without changing a group."""
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
    """Try to use a group; return what the kernel objected to."""
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
    """Look at a group; return what the kernel would object to."""
    if "memory" not in _read(group / "cgroup.controllers").split():
        return _NO_CONTROLLER
    # The root group alone may hold processes and hand a controller down; it has no cgroup.type.
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
        if (group / "memory.swap.max").exists():  # not there where the kernel has no swap accounting
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

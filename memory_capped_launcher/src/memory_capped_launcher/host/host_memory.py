"""Read how much memory this host has, and how much is available.

The limit of a container counts if it is lower than the machine's memory, in cgroup v2 (`memory.max`) and v1
(`memory.limit_in_bytes`), at every level from the process's own group up to the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MB = 1 << 20
# For each limit file: the file with what is held, and the name of droppable pages in `memory.stat`.
_USAGE = {
    "memory.max": ("memory.current", "inactive_file"),
    "memory.limit_in_bytes": ("memory.usage_in_bytes", "total_inactive_file"),
}


@dataclass(frozen=True, slots=True)
class HostMemory:
    """The memory of this host, or of the container around a process if that is smaller."""

    total_mb: int
    limited_by: str
    """`the machine`, or the path of the file with the lowest limit."""
    available_mb: int
    swap_mb: int
    swap_free_mb: int


def host_memory_mb(*, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the memory of this host or of the container around this process, the smaller of the two."""
    return read_host_memory(proc=proc, cgroup=cgroup).total_mb


def read_host_memory(
    pid: int | str = "self", *, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> HostMemory:
    """Read the memory that a process can have: a service may have a limit that a terminal on the same host has not.

    Raises:
        OSError: the kernel does not tell how much memory there is.
    """
    machine = _machine_mb(proc)
    if "MemTotal" not in machine:
        raise OSError(f"{proc}/meminfo names no MemTotal, so how much memory runs may have cannot be known")
    total, available, limited_by = machine["MemTotal"], machine.get("MemAvailable", 0), "the machine"
    for limit, file in _limits_mb(proc, cgroup, pid):
        if limit < total:
            total, limited_by = limit, str(file)
        available = min(available, limit - _held_mb(file))
    return HostMemory(
        total_mb=total,
        limited_by=limited_by,
        available_mb=max(0, available),
        swap_mb=machine.get("SwapTotal", 0),
        swap_free_mb=machine.get("SwapFree", 0),
    )


def _machine_mb(proc: Path) -> dict[str, int]:
    fields = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    return {name.removesuffix(":"): int(value) >> 10 for name, value, *_ in fields}


def _limits_mb(proc: Path, cgroup: Path, pid: int | str) -> Iterator[tuple[int, Path]]:
    """Yield every limit on a process's groups, in MB, with its file."""
    for line in _lines(proc / str(pid) / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _walk(cgroup, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _walk(cgroup / "memory", path, "memory.limit_in_bytes")


def _walk(root: Path, path: str, name: str) -> Iterator[tuple[int, Path]]:
    """Yield the limits from a group up to the root.

    In a container the path may be that of the host and not exist here; the limit is then at the root.
    """
    group = root / path.lstrip("/")
    for place in [group, *group.parents]:
        if not place.is_relative_to(root):
            break
        value = "".join(_lines(place / name)).strip()
        if value.isdigit():
            yield int(value) // _MB, place / name


def _held_mb(limit: Path) -> int:
    """Return the memory that a limit's group holds and the kernel cannot drop, in MB."""
    current, droppable = _USAGE[limit.name]
    held = "".join(_lines(limit.with_name(current))).strip()
    counts = dict(line.split(" ", 1) for line in _lines(limit.with_name("memory.stat")) if " " in line)
    return (int(held or 0) - int(counts.get(droppable, 0))) // _MB


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

"""This host in, the memory that it has, may use and has left out.

A container's limit counts where it is lower than the machine's memory, in cgroup v2 (`memory.max`) and v1
(`memory.limit_in_bytes`), at every level from a process's own group up to the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MB = 1 << 20
# Beside the limit: what is held, and the name under which `memory.stat` counts pages that the kernel can drop.
_BESIDE = {
    "memory.max": ("memory.current", "inactive_file"),
    "memory.limit_in_bytes": ("memory.usage_in_bytes", "total_inactive_file"),
}


@dataclass(frozen=True, slots=True)
class HostMemory:
    """The memory of this host, or of the container around a process where that is smaller."""

    total_mb: int
    limited_by: str
    """In words: the machine, or the file with the lowest limit."""
    available_mb: int
    swap_mb: int
    swap_free_mb: int


def host_memory_mb(*, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the memory of this host or of the container around it, whichever is smaller."""
    return look_at_host(proc=proc, cgroup=cgroup).total_mb


def look_at_host(
    pid: int | str = "self", *, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> HostMemory:
    """Look from where a process stands: a service may have a limit that the terminal beside it has not.

    Raises:
        OSError: the kernel does not say how much memory there is.
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
    """Yield every limit set on a process's groups, with its file."""
    for line in _lines(proc / str(pid) / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _walk(cgroup, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _walk(cgroup / "memory", path, "memory.limit_in_bytes")


def _walk(root: Path, path: str, name: str) -> Iterator[tuple[int, Path]]:
    """Yield the limits from a group up to the root.

    In a container the path may be the host's and not exist; its root then holds the limit.
    """
    group = root / path.lstrip("/")
    for place in [group, *group.parents]:
        if not place.is_relative_to(root):
            break
        value = "".join(_lines(place / name)).strip()
        if value.isdigit():
            yield int(value) // _MB, place / name


def _held_mb(limit: Path) -> int:
    """Return what a limit's group holds and the kernel cannot drop."""
    current, droppable = _BESIDE[limit.name]
    held = "".join(_lines(limit.with_name(current))).strip()
    counts = dict(line.split(" ", 1) for line in _lines(limit.with_name("memory.stat")) if " " in line)
    return (int(held or 0) - int(counts.get(droppable, 0))) // _MB


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

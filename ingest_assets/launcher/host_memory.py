"""This host in, the memory that it may use out.

A container's limit counts where it is lower than the machine's memory, in cgroup v2 (`memory.max`) and v1
(`memory.limit_in_bytes`), at every level from this process's own group up to the root.
"""

from __future__ import annotations

from pathlib import Path

_MB = 1 << 20


def host_memory_mb(*, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the memory of this host or of the container around it, whichever is smaller."""
    return min([_total_mb(proc), *_limits_mb(proc, cgroup)])


def _total_mb(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) >> 10
    raise OSError(f"{proc}/meminfo names no MemTotal; set memory_limit_mb in the run launcher's config")


def _limits_mb(proc: Path, cgroup: Path) -> list[int]:
    """Return every limit set on this process's groups."""
    limits = []
    for line in _lines(proc / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            limits += _walk(cgroup, path, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _walk(cgroup / "memory", path, "memory.limit_in_bytes")
    return limits


def _walk(root: Path, path: str, name: str) -> list[int]:
    """Return the limits from a group up to the root.

    In a container the path may be the host's and not exist; its root then holds the limit.
    """
    group, limits = root / path.lstrip("/"), []
    for place in [group, *group.parents]:
        if not place.is_relative_to(root):
            break
        value = "".join(_lines(place / name)).strip()
        if value.isdigit():
            limits.append(int(value) // _MB)
    return limits


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

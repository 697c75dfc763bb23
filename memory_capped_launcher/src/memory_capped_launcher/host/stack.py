"""List the processes that work on a Dagster home, each with its role and its memory.

A process belongs to a home if its environment names the home (`DAGSTER_HOME`), or if a process that belongs to the home
started it. Its role is read from its command. A process that was forked from the warm process has the warm process's
command; its role follows from its place in the tree. Memory is PSS: each page is divided among the processes that share
it, so the sum over all processes is what they hold together; unlike a run's peak it counts mapped files. Only processes
that this user may read are seen, and in a container only the container's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_WARM, _COLD = "memory_capped_launcher.warm.warm_process", "memory_capped_launcher.warm.cold_process"
_OPTIONS_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}


class Role(StrEnum):
    """What a process does for a home."""

    WEB_SERVER = "web server"
    DAEMON = "daemon"
    CODE_SERVER = "code server"
    WARM = "warm process"
    SUPERVISOR = "supervisor"
    RUN = "run"
    SERVICE = "service"
    """A process of the project that the caller of `stack_of` names."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class StackProcess:
    """One process of a home."""

    pid: int
    parent: int
    user: int
    role: Role
    pss_mb: float


@dataclass(frozen=True, slots=True)
class RoleMemory:
    """The number of processes of one role and the memory that they hold."""

    role: Role
    processes: int
    pss_mb: float


# The first words of a command, of an installed script or of a module; the daemon's module is private to Dagster.
_ROLES: dict[tuple[str, ...], Role] = {
    ("dagster-webserver",): Role.WEB_SERVER,
    ("dagster_webserver",): Role.WEB_SERVER,
    ("dagster-daemon",): Role.DAEMON,
    ("dagster", "api", "grpc"): Role.CODE_SERVER,
    ("dagster", "code-server"): Role.CODE_SERVER,
    ("dagster", "api", "execute_run"): Role.RUN,
    ("dagster", "api", "resume_run"): Role.RUN,
    (_WARM,): Role.WARM,
    (_COLD,): Role.SUPERVISOR,
}


def stack_of(home: Path, *, services: Sequence[tuple[str, ...]] = (), proc: Path = Path("/proc")) -> list[StackProcess]:
    """Return the home's processes, without the calling one and those that started it.

    `services` are the first words of commands, of a script or a module, that serve the home beside Dagster.
    """
    parents = {int(path.name): _parent(path) for path in proc.glob("[0-9]*")}
    named = {pid for pid in parents if _home_of(proc / str(pid)) == os.path.realpath(home)}
    asking = {os.getpid(), *_ancestors(os.getpid(), parents)}
    members = {pid for pid in parents if pid not in asking and named & {pid, *_ancestors(pid, parents)}}
    found = roles({pid: parents[pid] for pid in members}, {pid: _command(proc / str(pid)) for pid in members}, services)
    return [
        process for pid, role in sorted(found.items()) if (process := _measure(proc / str(pid), parents[pid], role))
    ]


def roles(
    parents: Mapping[int, int], commands: Mapping[int, Sequence[str]], services: Sequence[tuple[str, ...]] = ()
) -> dict[int, Role]:
    """Return the role of each process, from its command and its ancestors."""
    own = {pid: _role(commands[pid], services) for pid in parents}
    found = {}
    for pid in parents:
        above = [one for one in _ancestors(pid, parents) if one in parents]
        # How far below the outermost process that the launcher started; below it all are forked, whatever they execute.
        depth = next(
            (len(above) - place for place, one in enumerate(reversed(above)) if _is_from_launcher(commands[one])), 0
        )
        found[pid] = own[pid] if depth == 0 else Role.SUPERVISOR if depth == 1 else Role.RUN
    return found


def sum_up(processes: Iterable[StackProcess]) -> list[RoleMemory]:
    """Add up the memory of each role's processes, in the order of the roles."""
    kept = list(processes)
    by_role = {role: [process.pss_mb for process in kept if process.role is role] for role in Role}
    return [RoleMemory(role, len(sizes), sum(sizes)) for role, sizes in by_role.items() if sizes]


def _role(command: Sequence[str], services: Sequence[tuple[str, ...]]) -> Role:
    from memory_capped_launcher.dagster_private import DAEMON_MODULE

    words = _program(command)
    if words[:1] == [DAEMON_MODULE]:
        return Role.DAEMON
    named = _ROLES | dict.fromkeys(services, Role.SERVICE)
    return next((role for start, role in named.items() if tuple(words[: len(start)]) == start), Role.OTHER)


def _is_from_launcher(command: Sequence[str]) -> bool:
    return _program(command)[:1] in ([_WARM], [_COLD])


def _program(command: Sequence[str]) -> list[str]:
    """Return the name of a script or module and its arguments, without the interpreter and its options."""
    words = list(command)
    if words and Path(words[0]).name.startswith("python"):
        words.pop(0)
        while words and words[0].startswith("-") and words[0] != "-m":
            del words[: 2 if words[0] in _OPTIONS_WITH_VALUE else 1]
        if words[:1] == ["-m"]:
            return words[1:]
    return [Path(words[0]).name, *words[1:]] if words else []


def _ancestors(pid: int, parents: Mapping[int, int]) -> list[int]:
    found: list[int] = []
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.append(pid)
    return found


def _measure(process: Path, parent: int, role: Role) -> StackProcess | None:
    """Measure a process; None if it has ended meanwhile."""
    with suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return StackProcess(int(process.name), parent, process.stat().st_uid, role, int(line.split()[1]) / 1024)
    return None


def _home_of(process: Path) -> str:
    with suppress(OSError):
        for entry in (process / "environ").read_bytes().split(b"\0"):
            name, _, value = entry.partition(b"=")
            if name == b"DAGSTER_HOME" and value:
                return os.path.realpath((process / "cwd").readlink() / os.fsdecode(value))
    return ""


def _parent(process: Path) -> int:
    with suppress(OSError):
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


def _command(process: Path) -> list[str]:
    with suppress(OSError):
        return [os.fsdecode(word) for word in (process / "cmdline").read_bytes().split(b"\0")[:-1]]
    return []

"""A Dagster home in, the processes that work on it now, each with its role and its memory, out.

A process belongs to a home when its environment names it (`DAGSTER_HOME`), or when one that does started it. Its role
is read from its command, and for what was forked from the warm process, which has the warm process's command, from its
place in the tree. Memory is PSS: each page is divided among the processes that share it, so the sum over all is what
they hold together. Only what this user may read is seen, and in a container only the container's own processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_WARM, _COLD = "memory_capped_launcher.warm.warm_process", "memory_capped_launcher.warm.cold_process"
_TAKES_A_WORD = {"-W", "-X", "--check-hash-based-pycs"}


class Role(StrEnum):
    """What a process is for."""

    WEB_SERVER = "web server"
    DAEMON = "daemon"
    CODE_SERVER = "code server"
    WARM = "warm process"
    SUPERVISOR = "supervisor"
    RUN = "run"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a home."""

    pid: int
    parent: int
    user: int
    role: Role
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Held:
    """What the processes of one role hold."""

    role: Role
    processes: int
    pss_mb: float


# The first words of a command, as installed scripts and as modules.
_ROLES: dict[tuple[str, ...], Role] = {
    ("dagster-webserver",): Role.WEB_SERVER,
    ("dagster_webserver",): Role.WEB_SERVER,
    ("dagster-daemon",): Role.DAEMON,
    ("dagster._daemon",): Role.DAEMON,
    ("dagster", "api", "grpc"): Role.CODE_SERVER,
    ("dagster", "code-server"): Role.CODE_SERVER,
    ("dagster", "api", "execute_run"): Role.RUN,
    ("dagster", "api", "resume_run"): Role.RUN,
    (_WARM,): Role.WARM,
    (_COLD,): Role.SUPERVISOR,
}


def stack_of(home: Path, *, proc: Path = Path("/proc")) -> list[Process]:
    """Return the home's processes, the one that asks and those that started it left out."""
    parents = {int(path.name): _parent(path) for path in proc.glob("[0-9]*")}
    named = {pid for pid in parents if _home_of(proc / str(pid)) == os.path.realpath(home)}
    asking = {os.getpid(), *_ancestors(os.getpid(), parents)}
    members = {pid for pid in parents if pid not in asking and named & {pid, *_ancestors(pid, parents)}}
    found = roles({pid: parents[pid] for pid in members}, {pid: _command(proc / str(pid)) for pid in members})
    return [process for pid, role in sorted(found.items()) if (process := _look(proc / str(pid), parents[pid], role))]


def roles(parents: Mapping[int, int], commands: Mapping[int, Sequence[str]]) -> dict[int, Role]:
    """Say what each process is for, from its command and its ancestors."""
    own = {pid: _role(commands[pid]) for pid in parents}
    found = {}
    for pid in parents:
        above = [one for one in _ancestors(pid, parents) if one in parents]
        # The outermost process that the launcher started; below it everything is forked, whatever it became.
        depth = next((len(above) - place for place, one in enumerate(reversed(above)) if _is_ours(commands[one])), 0)
        found[pid] = own[pid] if depth == 0 else Role.SUPERVISOR if depth == 1 else Role.RUN
    return found


def sum_up(processes: Iterable[Process]) -> list[Held]:
    """Add up what the processes of each role hold, in the order of the roles."""
    kept = list(processes)
    by_role = {role: [process.pss_mb for process in kept if process.role is role] for role in Role}
    return [Held(role, len(sizes), sum(sizes)) for role, sizes in by_role.items() if sizes]


def _role(command: Sequence[str]) -> Role:
    words = _program(command)
    return next((role for start, role in _ROLES.items() if tuple(words[: len(start)]) == start), Role.OTHER)


def _is_ours(command: Sequence[str]) -> bool:
    return _program(command)[:1] in ([_WARM], [_COLD])


def _program(command: Sequence[str]) -> list[str]:
    """Return a script's or module's name and its arguments, without the interpreter and its options."""
    words = list(command)
    if words and Path(words[0]).name.startswith("python"):
        words.pop(0)
        while words and words[0].startswith("-") and words[0] != "-m":
            del words[: 2 if words[0] in _TAKES_A_WORD else 1]
        if words[:1] == ["-m"]:
            return words[1:]
    return [Path(words[0]).name, *words[1:]] if words else []


def _ancestors(pid: int, parents: Mapping[int, int]) -> list[int]:
    found: list[int] = []
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.append(pid)
    return found


def _look(process: Path, parent: int, role: Role) -> Process | None:
    """Weigh a process; None where it has ended meanwhile."""
    with suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return Process(int(process.name), parent, process.stat().st_uid, role, int(line.split()[1]) / 1024)
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

"""Gather what the plan for a Dagster home depends on; nothing is started, opened for writing or changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from memory_capped_launcher.errors import LauncherConfigError
from memory_capped_launcher.host.host_memory import read_host_memory
from memory_capped_launcher.host.instance_settings import InstanceSettings, read_settings
from memory_capped_launcher.host.plan import HostFacts
from memory_capped_launcher.host.stack import Role, StackProcess, stack_of
from memory_capped_launcher.register import Register
from memory_capped_launcher.supervision.caps import cap_in_force
from memory_capped_launcher.warm.protocol import why_not_private

# The processes whose limits and groups also hold for runs, best first: the daemon launches them.
_LAUNCHING_ROLES = (Role.DAEMON, Role.WARM, Role.WEB_SERVER)


def inspect_home(home: Path, *, services: Sequence[tuple[str, ...]] = ()) -> HostFacts:
    """Inspect a home and the host it is on; `services` as `stack_of` takes them.

    Raises:
        OSError: the kernel does not tell how much memory there is.
    """
    stack = stack_of(home, services=services)
    settings, problem = _settings(home)
    launching = _launching(stack)
    cgroup_root = settings.config.cgroup_root if settings and settings.config else None
    register = Register(home / "launcher") if (home / "launcher/runs").is_dir() else None
    return HostFacts(
        home=str(home),
        host=read_host_memory(launching.pid if launching else "self"),
        stack=stack,
        settings=settings,
        settings_problem=problem,
        enforced=cap_in_force(cgroup_root, pid=launching.pid if launching else "self"),
        runs=register.living() if register else (),
        orphaned=register.orphaned() if register else (),
        folder_problem=_folder_problem(home / "launcher/warm", user=launching.user if launching else os.geteuid()),
        unseen="" if launching else _unseen(home),
    )


def _settings(home: Path) -> tuple[InstanceSettings | None, str]:
    try:
        return read_settings(home), ""
    except LauncherConfigError as error:
        return None, str(error)


def _launching(stack: Sequence[StackProcess]) -> StackProcess | None:
    return next((process for role in _LAUNCHING_ROLES for process in stack if process.role is role), None)


def _folder_problem(folder: Path, *, user: int) -> str:
    try:
        return why_not_private(folder, user=user)
    except FileNotFoundError:
        return ""  # the first launch makes it


def _unseen(home: Path) -> str:
    """Return why the home's processes cannot be seen: only root can read the environment of others' processes."""
    user = os.geteuid()
    if user == 0 or not home.exists() or home.stat().st_uid == user:
        return ""
    return f"{home} belongs to user {home.stat().st_uid}, whose processes user {user} cannot see"

"""Say which limits are in force on a host and what is wrong with them, from facts that were gathered before.

A problem says what is wrong and what to do. It is a wrong setting if the launcher would refuse to launch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memory_capped_launcher.errors import LauncherConfigError
from memory_capped_launcher.host.host_memory import HostMemory
from memory_capped_launcher.host.instance_settings import InstanceSettings
from memory_capped_launcher.host.stack import Role, RoleMemory, StackProcess, sum_up
from memory_capped_launcher.limits import MEMORY_TAG, SMALLEST_CAP_MB, LauncherConfig, limits_for
from memory_capped_launcher.register import RunEntry

_LAUNCHER = "{module: memory_capped_launcher.run_launcher, class: MemoryCappedRunLauncher}"


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The facts about a host and one Dagster home on it."""

    home: str
    host: HostMemory
    stack: Sequence[StackProcess]
    settings: InstanceSettings | None
    """None if they cannot be read; `settings_problem` says why."""
    settings_problem: str
    enforced: str
    """How caps are enforced, in words."""
    runs: Sequence[RunEntry]
    """The runs that have a living supervisor."""
    orphaned: Sequence[str]
    """The ids of runs in the register whose supervisor died."""
    folder_problem: str
    unseen: str = ""
    """Why the home's processes cannot be seen; empty if they can."""


@dataclass(frozen=True, slots=True)
class HostProblem:
    """Something that an operator has to change."""

    what: str
    todo: str
    wrong_setting: bool = False


@dataclass(frozen=True, slots=True)
class RunCaps:
    """The limits that are in force for runs."""

    cap_mb: int
    """The cap of a run without the tag."""
    lowest_mb: int
    ceiling_mb: int
    """A run's tag may set a cap from `lowest_mb` to this."""
    timeout_s: float | None
    enforced: str
    max_parallel: int
    max_concurrent_runs: int | None
    """The limit of Dagster's queue; None: any number."""
    fit_in_memory: int
    """How many runs with `cap_mb` fit into the budget."""
    at_once: int
    note: str


@dataclass(frozen=True, slots=True)
class WarmProcess:
    """A living warm process."""

    pid: int
    pss_mb: float
    runs: int


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is in force on a host, and what is wrong with it."""

    host: HostMemory
    reserve_mb: int | None
    """None if the home does not use this launcher."""
    stack: Sequence[RoleMemory]
    stack_without_runs_mb: float
    launcher: str
    caps: RunCaps | None
    """None if runs are not capped or would not be launched."""
    warm: Sequence[WarmProcess]
    runs: Sequence[RunEntry]
    problems: Sequence[HostProblem]


def plan_for(found: HostFacts) -> HostPlan:
    """Return what is in force on the host, and what is wrong with it."""
    config = found.settings.config if found.settings else None
    held = sum_up(found.stack)
    without_runs = sum(one.pss_mb for one in held if one.role is not Role.RUN)
    caps, refusal = _caps(found, config) if config else (None, [])
    return HostPlan(
        host=found.host,
        reserve_mb=config.reserve_mb if config else None,
        stack=held,
        stack_without_runs_mb=without_runs,
        launcher=found.settings.launcher if found.settings else "",
        caps=caps,
        warm=_warm(found.stack),
        runs=found.runs,
        problems=[
            *_launcher_problems(found),
            *refusal,
            *_stack_problems(without_runs, config),
            *_queue_problems(found.settings, caps),
            *_folder_problems(found),
        ],
    )


def _caps(found: HostFacts, config: LauncherConfig) -> tuple[RunCaps | None, list[HostProblem]]:
    """Return the limits of a run without tags, or the problem for which the launcher would refuse it."""
    host_mb = found.host.total_mb
    try:
        limits = limits_for({}, config=config, host_mb=host_mb)
        ceiling = limits_for({MEMORY_TAG: str(host_mb)}, config=config, host_mb=host_mb).cap_mb
    except LauncherConfigError as error:
        what, _, todo = str(error).partition("; ")
        return None, [HostProblem(what, f"{todo} ({found.home}/dagster.yaml)", wrong_setting=True)]
    allowed = found.settings.max_concurrent_runs if found.settings else None
    fit = limits.budget_mb // limits.cap_mb
    at_once = [limits.max_parallel, fit, *([] if allowed is None else [allowed])]
    return RunCaps(
        cap_mb=limits.cap_mb,
        lowest_mb=SMALLEST_CAP_MB,
        ceiling_mb=ceiling,
        timeout_s=limits.timeout_s,
        enforced=found.enforced,
        max_parallel=limits.max_parallel,
        max_concurrent_runs=allowed,
        fit_in_memory=fit,
        at_once=min(at_once),
        note=limits.notes,
    ), []


def _warm(stack: Sequence[StackProcess]) -> list[WarmProcess]:
    supervisors = [process.parent for process in stack if process.role is Role.SUPERVISOR]
    return [
        WarmProcess(process.pid, process.pss_mb, supervisors.count(process.pid))
        for process in stack
        if process.role is Role.WARM
    ]


def _launcher_problems(found: HostFacts) -> Iterator[HostProblem]:
    path = f"{found.home}/dagster.yaml"
    if found.settings is None:
        yield HostProblem(found.settings_problem, "correct what the message names; nothing starts until then", True)
    elif found.settings.config is None:
        yield HostProblem(
            f"runs are launched by {found.settings.launcher}: without a memory cap, and their ends without a name",
            f"put `run_launcher: {_LAUNCHER}` into {path} and restart the daemon and the web server",
        )


def _stack_problems(without_runs_mb: float, config: LauncherConfig | None) -> Iterator[HostProblem]:
    if config and without_runs_mb > config.reserve_mb:
        yield HostProblem(
            f"the stack without its runs holds {without_runs_mb:.0f} MB; {config.reserve_mb} MB are reserved for it",
            f"raise reserve_mb to {math.ceil(without_runs_mb / 100 + 1) * 100} in the run launcher's config: caps get "
            f"smaller, and the host keeps what it needs",
        )


def _queue_problems(settings: InstanceSettings | None, caps: RunCaps | None) -> Iterator[HostProblem]:
    """Yield a problem if run monitoring would end runs that wait for their turn under the launcher."""
    if settings is None or settings.config is None or caps is None:
        return
    allowed, in_memory = settings.max_concurrent_runs, min(caps.max_parallel, caps.fit_in_memory)
    if allowed == 0:
        yield HostProblem("max_concurrent_runs is 0, so the queue starts no run", "set it to 1 or more")
    if settings.start_timeout_s is None or (allowed is not None and allowed <= in_memory):
        return
    longest = min((limit for limit in (caps.timeout_s, settings.max_runtime_s) if limit), default=None)
    rounds = None if allowed is None else math.ceil(allowed / in_memory) - 1
    needed = None if longest is None or rounds is None else rounds * longest
    if needed is not None and settings.start_timeout_s >= needed:
        return
    waits = f"may wait {needed:.0f} s" if needed is not None else "may wait for any time"
    remedy = f"raise start_timeout_seconds to {needed:.0f}, or " if needed is not None else ""
    yield HostProblem(
        f"the queue hands over {'any number of' if allowed is None else allowed} runs at once and {in_memory} may run: "
        f"the last {waits} for its turn, and run monitoring ends it after {settings.start_timeout_s:.0f} s",
        f"{remedy}set max_concurrent_runs to {in_memory}",
    )


def _folder_problems(found: HostFacts) -> Iterator[HostProblem]:
    if found.unseen:
        yield HostProblem(found.unseen, "ask again as that user")
    if found.folder_problem:
        what, _, todo = found.folder_problem.partition(". ")
        yield HostProblem(f"runs are launched cold: {what}", todo)
    if found.orphaned:
        yield HostProblem(
            f"the supervisors of {len(found.orphaned)} run(s) died: {', '.join(found.orphaned)}",
            "start the daemon: the next launch or health check reports their ends",
        )

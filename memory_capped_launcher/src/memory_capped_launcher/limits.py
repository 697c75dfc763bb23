"""Compute the limits of one run from the operator's configuration, the run's tags and the host's memory.

A tag may lower or raise what the operator set, up to the ceiling. Nothing exceeds the memory that the host has. When a
run gets less than it asked for, `notes` says so and becomes part of the run's first event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memory_capped_launcher.errors import LauncherConfigError

MEMORY_TAG = "memory_capped/memory_limit_mb"
TIMEOUT_TAG = "memory_capped/timeout_s"

# Measured: a run of a trivial asset grows by about 70 MB of its own (benchmarks/launcher). With less, no run can end.
SMALLEST_CAP_MB = 96


@dataclass(frozen=True, slots=True)
class LauncherConfig:
    """The launcher's settings in `dagster.yaml`; `MemoryCappedRunLauncher.config_type` describes each."""

    memory_limit_mb: int | None = None
    """The cap of a run without the tag; None: an equal share of the budget."""
    memory_ceiling_mb: int | None = None
    """The highest cap that a tag may ask for; None: the whole budget."""
    reserve_mb: int = 1200
    """Memory that runs may not use: for web server, daemon, code server, warm process and system."""
    timeout_s: float | None = None
    niceness: int = 5
    max_parallel: int = 1
    cancel_grace_s: float = 10.0
    cgroup_root: str | None = None
    warm: bool = True
    warm_start_timeout_s: float = 60.0
    warm_idle_s: float = 1800.0
    preload_modules: tuple[str, ...] = ()
    """Modules that runs import and the definitions do not."""
    learn_modules: tuple[str, ...] = ()
    """Modules that only some runs import; the warm process imports them after two have (`warm/learning.py`)."""
    keep_connections: bool = True
    """Patch Dagster's SQLite storages in the run's process (`supervision/connections.py`)."""
    cache_migrations: bool = True
    """Patch Dagster's look-up of migration scripts in the warm process (`warm/migrations.py`)."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The limits of one run."""

    cap_mb: int
    budget_mb: int
    """The memory that all runs on this host may hold together."""
    max_parallel: int
    timeout_s: float | None
    niceness: int
    cancel_grace_s: float
    cgroup_root: str | None
    notes: str


def limits_for(tags: Mapping[str, str], *, config: LauncherConfig, host_mb: int) -> RunLimits:
    """Return the limits of a run with these tags on a host with this memory.

    Raises:
        LauncherConfigError: a value makes no sense, the cap is below what an empty run needs, or the host is too small.
    """
    if config.max_parallel < 1:
        raise LauncherConfigError(
            f"max_parallel is {config.max_parallel} in the run launcher's config, so no run would ever start; "
            f"set it to 1 or more"
        )
    budget = host_mb - config.reserve_mb
    if budget < SMALLEST_CAP_MB:
        raise LauncherConfigError(
            f"this host has {host_mb} MB and {config.reserve_mb} MB of it are reserved (reserve_mb), which leaves "
            f"nothing for a run; lower reserve_mb in the run launcher's config, or give the host more memory"
        )
    wanted = _number(tags, MEMORY_TAG) or config.memory_limit_mb or budget // config.max_parallel
    ceiling = min(config.memory_ceiling_mb or budget, budget)
    cap = int(min(wanted, ceiling))
    if cap < SMALLEST_CAP_MB:
        raise LauncherConfigError(
            f"a memory cap of {cap} MB is below the {SMALLEST_CAP_MB} MB that a run which does nothing needs; "
            f"raise memory_limit_mb or memory_ceiling_mb in the run launcher's config, or the run's tag {MEMORY_TAG}"
        )
    return RunLimits(
        cap_mb=cap,
        budget_mb=budget,
        max_parallel=config.max_parallel,
        timeout_s=_number(tags, TIMEOUT_TAG) or config.timeout_s,
        niceness=config.niceness,
        cancel_grace_s=config.cancel_grace_s,
        cgroup_root=config.cgroup_root,
        notes=f"{int(wanted)} MB were asked for; {ceiling} MB is the most a run may have here." if cap < wanted else "",
    )


def _number(tags: Mapping[str, str], name: str) -> float | None:
    if name not in tags:
        return None
    try:
        value = float(tags[name])
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise LauncherConfigError(f"the run's tag {name} is {tags[name]!r}; it must be a number above 0")
    return value

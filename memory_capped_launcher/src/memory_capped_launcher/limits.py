"""The operator's configuration, the run's tags and the host's memory in, the limits of one run out.

A tag may lower or raise what the operator set, up to the ceiling; nothing goes past the memory that is there. What was
asked for and not granted is said in `notes`, which become part of the run's first event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingest_assets.errors import ConfigError

MEMORY_TAG = "memory_capped/memory_limit_mb"
TIMEOUT_TAG = "memory_capped/timeout_s"

# Measured: a run of a trivial asset grows by about 70 MB of its own (benchmarks/launcher); below this none can end.
SMALLEST_CAP_MB = 96


@dataclass(frozen=True, slots=True)
class LauncherConfig:
    """What the operator set, in `dagster.yaml`."""

    memory_limit_mb: int | None = None
    """Of a run without the tag; None: an equal share of the budget."""
    memory_ceiling_mb: int | None = None
    """The most that a tag may ask for; None: the whole budget."""
    reserve_mb: int = 1200
    """Kept for everything but runs: web server, daemon, code server, warm process, system."""
    timeout_s: float | None = None
    niceness: int = 5
    max_parallel: int = 1
    cancel_grace_s: float = 10.0
    cgroup_root: str | None = None
    warm: bool = True
    warm_start_timeout_s: float = 60.0
    warm_idle_s: float = 1800.0
    preload_modules: tuple[str, ...] = ()
    """What runs of this code import and its definitions do not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one run."""

    cap_mb: int
    budget_mb: int
    """What all runs on this host may hold together."""
    max_parallel: int
    timeout_s: float | None
    niceness: int
    cancel_grace_s: float
    cgroup_root: str | None
    notes: str


def limits_for(tags: Mapping[str, str], *, config: LauncherConfig, host_mb: int) -> Limits:
    """Say what holds for a run with these tags on a host with this memory.

    Raises:
        ConfigError: a value makes no sense, the cap is below what an empty run needs, or the host is too small.
    """
    if config.max_parallel < 1:
        raise ConfigError(
            f"max_parallel is {config.max_parallel} in the run launcher's config, so no run would ever start; "
            f"set it to 1 or more"
        )
    budget = host_mb - config.reserve_mb
    if budget < SMALLEST_CAP_MB:
        raise ConfigError(
            f"this host has {host_mb} MB and {config.reserve_mb} MB of it are reserved (reserve_mb), which leaves "
            f"nothing for a run; lower reserve_mb in the run launcher's config, or give the host more memory"
        )
    wanted = _number(tags, MEMORY_TAG) or config.memory_limit_mb or budget // config.max_parallel
    ceiling = min(config.memory_ceiling_mb or budget, budget)
    cap = int(min(wanted, ceiling))
    if cap < SMALLEST_CAP_MB:
        raise ConfigError(
            f"a memory cap of {cap} MB is below the {SMALLEST_CAP_MB} MB that a run which does nothing needs; "
            f"raise memory_limit_mb or memory_ceiling_mb in the run launcher's config, or the run's tag {MEMORY_TAG}"
        )
    return Limits(
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
        raise ConfigError(f"the run's tag {name} is {tags[name]!r}; it must be a number above 0")
    return value

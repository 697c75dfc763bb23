"""Report the ends of runs whose supervisor died."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memory_capped_launcher.outcomes import RunEnd, RunOutcome
from memory_capped_launcher.register import Register
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.cgroups import remove
from memory_capped_launcher.supervision.reporting import report, report_from

if TYPE_CHECKING:
    from dagster import DagsterInstance


def report_dead(request: RunRequest) -> None:
    """Report the end of a run whose supervisor is gone, unless the supervisor reported it itself."""
    register = Register(request.root)
    descriptor = register.adopt(request.run_id)
    if descriptor is None:
        return
    _empty_group(register, request.run_id)
    report_from(request, _end(register, request.run_id))
    register.close(request.run_id, descriptor)


def sweep(register: Register, instance: DagsterInstance) -> list[str]:
    """Report the ends of all runs whose supervisor died; return their ids."""
    dead = []
    for run_id in register.run_ids():
        descriptor = register.adopt(run_id)
        if descriptor is not None:
            _empty_group(register, run_id)
            report(instance, run_id, _end(register, run_id))
            register.close(run_id, descriptor)
            dead.append(run_id)
    return dead


def _empty_group(register: Register, run_id: str) -> None:
    """Kill the processes that a dead supervisor left in the run's cgroup, and remove the group."""
    entry = register.read(run_id)
    if entry is not None and entry.group:
        remove(Path(entry.group))


def _end(register: Register, run_id: str) -> RunEnd:
    """Return the end that the supervisor noted before it died; if it noted none, that the run is lost."""
    entry = register.read(run_id)
    if entry is not None and entry.end is not None:
        fields = dict(entry.end)
        return RunEnd(**fields | {"outcome": RunOutcome(fields["outcome"]) if fields["outcome"] else None})
    if register.cancelled(run_id):
        return RunEnd(
            RunOutcome.CANCELLED, "The run was cancelled, and its supervisor ended.", entry.cap_mb if entry else 0
        )
    reason = "The process that supervised the run died, and the run with it."
    return RunEnd(RunOutcome.LOST, reason, entry.cap_mb if entry else 0)

"""Runs whose holder died in, named ends out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memory_capped_launcher.outcomes import Outcome, Verdict
from memory_capped_launcher.register import Register
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.cgroups import remove
from memory_capped_launcher.supervision.reporting import report, report_from

if TYPE_CHECKING:
    from dagster import DagsterInstance


def report_dead(request: RunRequest) -> None:
    """Name the end of a run whose supervisor is gone; where it told Dagster itself, there is nothing to do."""
    register = Register(request.root)
    descriptor = register.adopt(request.run_id)
    if descriptor is None:
        return
    _clear_away(register, request.run_id)
    report_from(request.instance_ref, request.run_id, _verdict(register, request.run_id))
    register.close(request.run_id, descriptor)


def sweep(register: Register, instance: DagsterInstance) -> list[str]:
    """Name the ends of all runs that nobody is in charge of any more; return them."""
    dead = []
    for run_id in register.run_ids():
        descriptor = register.adopt(run_id)
        if descriptor is not None:
            _clear_away(register, run_id)
            report(instance, run_id, _verdict(register, run_id))
            register.close(run_id, descriptor)
            dead.append(run_id)
    return dead


def _clear_away(register: Register, run_id: str) -> None:
    """End what a supervisor that died left running in the run's cgroup, and remove the group."""
    entry = register.read(run_id)
    if entry is not None and entry.group:
        remove(Path(entry.group))


def _verdict(register: Register, run_id: str) -> Verdict:
    """Return what the supervisor found before it died; that it died, where it found nothing."""
    entry = register.read(run_id)
    if entry is not None and entry.verdict is not None:
        fields = dict(entry.verdict)
        return Verdict(**fields | {"outcome": Outcome(fields["outcome"]) if fields["outcome"] else None})
    if register.cancelled(run_id):
        return Verdict(
            Outcome.CANCELLED, "The run was cancelled, and its supervisor ended.", entry.cap_mb if entry else 0
        )
    reason = "The process that supervised the run died, and the run with it."
    return Verdict(Outcome.LOST, reason, entry.cap_mb if entry else 0)

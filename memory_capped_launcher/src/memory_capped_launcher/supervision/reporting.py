"""A verdict in, Dagster's record of the run's end out: tags, an event that a person understands, the run's status.

Always called in a process of its own, with an instance of its own, and always after reading the run again: a run that
said itself how it ended is not contradicted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from memory_capped_launcher.outcomes import (
    CAP_TAG,
    CPU_TAG,
    NEARLY_ALL,
    OUTCOME_TAG,
    PEAK_TAG,
    Outcome,
    Verdict,
    advice,
)

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

_TRY_FOR_S = 60.0  # a database that restarts is back in a minute; later ends are told by the next health check
_PAUSE_S = 1.0
_NOT_REPEATED = {Outcome.OUT_OF_MEMORY, Outcome.TIMED_OUT}


def report_from(instance_ref: str, run_id: str, verdict: Verdict) -> None:
    """Open the instance and report, trying again for a minute while it cannot be reached."""
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef
    from dagster._serdes import deserialize_value

    from memory_capped_launcher.supervision.connections import kept_connections

    deadline = time.monotonic() + _TRY_FOR_S
    while True:
        try:
            reference = deserialize_value(instance_ref, InstanceRef)
            with kept_connections(), DagsterInstance.from_ref(reference) as instance:
                return report(instance, run_id, verdict)
        except Exception:  # each storage has its own errors; the outermost loop of a process
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)


def report(instance: DagsterInstance, run_id: str, verdict: Verdict) -> None:
    """Write down how a run ended."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return
    outcome = _outcome(instance, run, verdict)
    if outcome is Outcome.LOST and _will_be_resumed(instance):
        return
    tags = {
        OUTCOME_TAG: outcome.value,
        CAP_TAG: str(verdict.cap_mb),
        PEAK_TAG: f"{verdict.peak_mb:.0f}",
        CPU_TAG: f"{verdict.cpu_s:.2f}",
    }
    if outcome in _NOT_REPEATED and "dagster/max_retries" not in run.tags:
        tags["dagster/max_retries"] = "0"  # the same again would end the same way
    instance.add_run_tags(run_id, tags)
    if outcome is not Outcome.SUCCEEDED:
        _tell(instance, run, outcome, verdict)


def _outcome(instance: DagsterInstance, run: DagsterRun, verdict: Verdict) -> Outcome:
    """Put together what the run said and what its supervisor saw."""
    from dagster import DagsterRunStatus

    if run.status is DagsterRunStatus.SUCCESS:
        return Outcome.SUCCEEDED
    if run.status is DagsterRunStatus.CANCELED or (verdict.outcome is None and _is_cancelling(run)):
        return Outcome.CANCELLED
    if verdict.outcome is not None:
        return verdict.outcome
    # The run noted by itself that a step was refused memory (`run_process`), unless it lacked the memory to do so.
    said = run.tags.get(OUTCOME_TAG)
    if said in set(Outcome):
        return Outcome(said)
    return Outcome.OUT_OF_MEMORY if _failed_for_memory(instance, run.run_id, verdict) else Outcome.FAILED


def _failed_for_memory(instance: DagsterInstance, run_id: str, verdict: Verdict) -> bool:
    """Read in the run's events whether an allocator refused a step.

    A run that held nearly all it may, and failed without an event of a failed step, lacked the memory to write one.
    """
    from dagster import DagsterEventType

    from memory_capped_launcher.supervision.run_process import is_for_memory

    failures = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    if not failures:
        return verdict.refused_memory or verdict.resident_mb >= NEARLY_ALL * verdict.cap_mb
    events = [entry.dagster_event for entry in failures if entry.dagster_event]
    return any(is_for_memory(event.step_failure_data.error) for event in events)


def _is_cancelling(run: DagsterRun) -> bool:
    from dagster import DagsterRunStatus

    return run.status is DagsterRunStatus.CANCELING


def _tell(instance: DagsterInstance, run: DagsterRun, outcome: Outcome, verdict: Verdict) -> None:
    from dagster._core.events import EngineEventData, JobFailureData, RunFailureReason

    if run.is_finished and outcome in (Outcome.FAILED, Outcome.CANCELLED):
        return  # Dagster's own events say it all
    message = _message(instance, run, outcome, verdict)
    details = {
        "outcome": outcome.value,
        "cap_mb": verdict.cap_mb,
        "peak_mb": round(verdict.peak_mb),
        "cpu_s": round(verdict.cpu_s, 2),
        **({"printed": verdict.log} if verdict.log else {}),
    }
    instance.report_engine_event(message, run, EngineEventData(details))
    run = instance.get_run_by_id(run.run_id) or run
    if run.is_finished:
        return
    if outcome is Outcome.CANCELLED:
        instance.report_run_canceled(run, message)
    else:
        failure = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
        instance.report_run_failed(run, message, failure)


def _message(instance: DagsterInstance, run: DagsterRun, outcome: Outcome, verdict: Verdict) -> str:
    name = outcome.value.replace("_", " ").capitalize()
    partition = f" of partition {run.tags['dagster/partition']}" if "dagster/partition" in run.tags else ""
    steps = _open_steps(instance, run.run_id)
    where = f"It was in {' and '.join(steps)}{partition}." if steps else f"It was in no step{partition}."
    if not steps and outcome is Outcome.OUT_OF_MEMORY:
        where += " Where no step had begun, the cap is below what starting a run of this code needs."
    if run.is_finished and outcome is Outcome.OUT_OF_MEMORY and verdict.outcome is None:
        reason = f"A step was refused memory under the cap of {verdict.cap_mb} MB."
        where = f"At most {verdict.peak_mb:.0f} MB were held."
    else:
        reason = verdict.reason
    return " ".join(part for part in (f"{name}: {reason}", where, advice(outcome)) if part)


def _open_steps(instance: DagsterInstance, run_id: str) -> list[str]:
    """Return the steps that began and did not end."""
    from dagster import DagsterEventType

    began, ended = {DagsterEventType.STEP_START}, {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE}
    steps: dict[str, bool] = {}
    for entry in instance.all_logs(run_id, of_type=began | ended):
        event = entry.dagster_event
        if event is not None and event.step_key:
            steps[event.step_key] = event.event_type in began
    return [step for step, is_open in steps.items() if is_open]


def _will_be_resumed(instance: DagsterInstance) -> bool:
    """Where the operator lets run monitoring resume runs, a lost run is left to it."""
    return bool(instance.run_monitoring_enabled and instance.run_monitoring_max_resume_run_attempts > 0)

"""Write the end of a run into Dagster: tags, an event that a person understands, and the run's status.

This is always done in a process of its own, with an instance of its own, and after reading the run again. If the run
has reported its end itself, that report stands.
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
    RunEnd,
    RunOutcome,
    advice,
)
from memory_capped_launcher.request import RunRequest

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

_TRY_FOR_S = 60.0  # a database that restarts is back in a minute; after that the next health check reports the end
_PAUSE_S = 1.0
_NOT_REPEATED = {RunOutcome.OUT_OF_MEMORY, RunOutcome.TIMED_OUT}


def report_from(request: RunRequest, end: RunEnd) -> None:
    """Open the instance and report the end, trying again for a minute if the instance cannot be reached."""
    from dagster import DagsterInstance

    from memory_capped_launcher.dagster_private import InstanceRef, deserialize_value
    from memory_capped_launcher.supervision.connections import kept_connections

    deadline = time.monotonic() + _TRY_FOR_S
    while True:
        try:
            reference = deserialize_value(request.instance_ref, InstanceRef)
            with kept_connections(on=request.keep_connections), DagsterInstance.from_ref(reference) as instance:
                return report(instance, request.run_id, end)
        except Exception:  # each storage has its own errors; the outermost loop of a process
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)


def report(instance: DagsterInstance, run_id: str, end: RunEnd) -> None:
    """Write the end of a run into an open instance."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return
    outcome = _outcome(instance, run, end)
    if outcome is RunOutcome.LOST and _will_be_resumed(instance):
        return
    tags = {
        OUTCOME_TAG: outcome.value,
        CAP_TAG: str(end.cap_mb),
        PEAK_TAG: f"{end.peak_mb:.0f}",
        CPU_TAG: f"{end.cpu_s:.2f}",
    }
    if outcome in _NOT_REPEATED and "dagster/max_retries" not in run.tags:
        tags["dagster/max_retries"] = "0"  # the same again would end the same way
    instance.add_run_tags(run_id, tags)
    if outcome is not RunOutcome.SUCCEEDED:
        _explain(instance, run, outcome, end)


def _outcome(instance: DagsterInstance, run: DagsterRun, end: RunEnd) -> RunOutcome:
    """Return the outcome, from the run's status in Dagster and from what its supervisor saw."""
    from dagster import DagsterRunStatus

    if run.status is DagsterRunStatus.SUCCESS:
        return RunOutcome.SUCCEEDED
    if run.status is DagsterRunStatus.CANCELED or (end.outcome is None and _is_cancelling(run)):
        return RunOutcome.CANCELLED
    if end.outcome is not None:
        return end.outcome
    # `run_process` has tagged the run if a step was refused memory, unless it lacked the memory to do so.
    noted = run.tags.get(OUTCOME_TAG)
    if noted in set(RunOutcome):
        return RunOutcome(noted)
    return RunOutcome.OUT_OF_MEMORY if _failed_for_memory(instance, run.run_id, end) else RunOutcome.FAILED


def _failed_for_memory(instance: DagsterInstance, run_id: str, end: RunEnd) -> bool:
    """Return whether the run's events show that an allocator refused a step.

    A run that held nearly all that it may, and failed without a failed step's event, lacked the memory to write one.
    """
    from dagster import DagsterEventType

    from memory_capped_launcher.supervision.run_process import is_for_memory

    failures = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    if not failures:
        return end.refused_memory or end.peak_mb >= NEARLY_ALL * end.cap_mb
    events = [entry.dagster_event for entry in failures if entry.dagster_event]
    return any(is_for_memory(event.step_failure_data.error) for event in events)


def _is_cancelling(run: DagsterRun) -> bool:
    from dagster import DagsterRunStatus

    return run.status is DagsterRunStatus.CANCELING


def _explain(instance: DagsterInstance, run: DagsterRun, outcome: RunOutcome, end: RunEnd) -> None:
    """Add the event that explains the end, and set the run's status if the run did not."""
    from memory_capped_launcher.dagster_private import EngineEventData, JobFailureData, RunFailureReason

    if run.is_finished and outcome in (RunOutcome.FAILED, RunOutcome.CANCELLED):
        return  # Dagster's own events explain it
    message = _message(instance, run, outcome, end)
    details = {
        "outcome": outcome.value,
        "cap_mb": end.cap_mb,
        "peak_mb": round(end.peak_mb),
        "resident_mb": round(end.resident_mb),
        "cpu_s": round(end.cpu_s, 2),
        **({"printed": end.log} if end.log else {}),
    }
    instance.report_engine_event(message, run, EngineEventData(details))
    run = instance.get_run_by_id(run.run_id) or run
    if run.is_finished:
        return
    if outcome is RunOutcome.CANCELLED:
        instance.report_run_canceled(run, message)
    else:
        failure = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
        instance.report_run_failed(run, message, failure)


def _message(instance: DagsterInstance, run: DagsterRun, outcome: RunOutcome, end: RunEnd) -> str:
    name = outcome.value.replace("_", " ").capitalize()
    partition = f" of partition {run.tags['dagster/partition']}" if "dagster/partition" in run.tags else ""
    steps = _open_steps(instance, run.run_id)
    where = f"It was in {' and '.join(steps)}{partition}." if steps else f"It was in no step{partition}."
    if not steps and outcome is RunOutcome.OUT_OF_MEMORY:
        where += " Where no step had begun, the cap is below what starting a run of this code needs."
    if run.is_finished and outcome is RunOutcome.OUT_OF_MEMORY and end.outcome is None:
        reason = f"A step was refused memory under the cap of {end.cap_mb} MB."
        where = f"At most {end.peak_mb:.0f} MB were held."
    else:
        reason = end.reason
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
    """Return whether run monitoring will resume a lost run, which is then not reported as failed."""
    return bool(instance.run_monitoring_enabled and instance.run_monitoring_max_resume_run_attempts > 0)

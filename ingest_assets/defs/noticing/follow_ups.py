"""Decide what follows a run that ended out of memory: repeat the file with half the window, or record its failure.

The sensor `out_of_memory` calls this, and the command line for the runs that it asked for. Two calls for one run give
the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from ingest_assets.defs.assets.recording.attempt_tags import attempt_from, tags_of
from ingest_assets.defs.assets.recording.failures import FailureRecorder
from ingest_assets.defs.queue.busy_files import SETTLED_TAG
from ingest_assets.errors import BadInput, IngestError, OutsideError
from ingest_assets.file_ids import key_of
from ingest_assets.ledger_records import State
from ingest_assets.project import Project
from ingest_assets.stages.planning.attempts import Attempt, next_attempt
from ingest_assets.stages.planning.first_window import Experience
from memory_capped_launcher.outcomes import CAP_TAG, OUTCOME_TAG, PEAK_TAG, RunOutcome

_LEAVE_OUT = ("parsed_documents", "image_captions")
_STEPS = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is done after a run that ended out of memory."""

    tags: dict[str, str] | None
    """Of the run that repeats it; None if no run does."""
    message: str
    """What happened and what is done, for people."""


def ended_out_of_memory(run: dg.DagsterRun) -> bool:
    """Tell whether the launcher named this end."""
    return run.tags.get(OUTCOME_TAG) == RunOutcome.OUT_OF_MEMORY


def follow_up(run: dg.DagsterRun, *, file_id: str, instance: dg.DagsterInstance, project: Project) -> FollowUp:
    """Decide what is done next, and record it in the ledger, in the run and in the history of memory needs."""
    seen, source = project.bucket.stat(key_of(file_id)), project.source(file_id)
    if seen is None or (source is not None and source.version != seen.version):
        return FollowUp(None, f"{key_of(file_id)}: deleted or replaced since; what is there now decides")
    stage = _stage_of(instance, run.run_id)
    attempt = attempt_from(run.tags, window=project.settings.window_parts)
    number = project.artifacts.record_in_progress(stage, file_id) if stage in _LEAVE_OUT else None
    then = next_attempt(attempt, stage=stage, number=number)
    if source is not None:
        project.history.add(_experience(run, attempt, source.media_type, source.size_bytes))
    message = _message(run, attempt, then, stage=stage)
    error: IngestError = BadInput(message) if isinstance(then, str) else OutsideError(message)
    state = State.QUARANTINED if isinstance(then, str) else State.OUT_OF_MEMORY
    FailureRecorder(project, instance).note(file_id, error, version=seen.version, state=state)
    instance.report_engine_event(message, run)
    instance.add_run_tags(run.run_id, {SETTLED_TAG: "failed" if isinstance(then, str) else "repeated"})
    return FollowUp(None if isinstance(then, str) else tags_of(then, before=run.tags), message)


def _stage_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the step that began last and did not succeed; empty if the run died before its first step."""
    open_steps: dict[str, None] = {}
    for entry in instance.all_logs(run_id, of_type=_STEPS):
        event = entry.dagster_event
        if event is not None and event.step_key:
            open_steps.pop(event.step_key, None)
            if event.event_type is dg.DagsterEventType.STEP_START:
                open_steps[event.step_key] = None
    # In a run that the UI asked for, the step of a shard has a number behind its name.
    return next(reversed(open_steps), "").rstrip("_0123456789")


def _experience(run: dg.DagsterRun, attempt: Attempt, media_type: str, size_bytes: int) -> Experience:
    return Experience(
        media_type=media_type,
        size_bytes=size_bytes,
        pages=0,
        pictures=0,
        window=attempt.window,
        cap_mb=attempt.cap_mb,
        peak_mb=float(run.tags.get(PEAK_TAG) or 0),
        out_of_memory=True,
    )


def _message(run: dg.DagsterRun, attempt: Attempt, then: Attempt | str, *, stage: str) -> str:
    cap = f"the cap of {run.tags[CAP_TAG]} MB" if run.tags.get(CAP_TAG) else "its cap"
    where = f"out of memory in {stage or 'its start'} under {cap}, with {attempt.window} parts at once"
    if isinstance(then, str):
        return f"{where}: {then}; raise memory_limit_mb, or give the host more memory, and materialise the file again"
    if then.window < attempt.window:
        return f"{where}; it is repeated with {then.window}"
    return f"{where}; it is repeated without number {then.unread[stage][-1]} of {stage}"

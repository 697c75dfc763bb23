"""Execute a run in a process that was forked for it alone."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from memory_capped_launcher.linux import die_with_parent, prefer_for_oom_kill
from memory_capped_launcher.outcomes import MEMORY_WORDS, OUTCOME_TAG, RunOutcome
from memory_capped_launcher.register import Register
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.caps import Cap, lift_memory_limit
from memory_capped_launcher.supervision.log_file import LogFile
from memory_capped_launcher.warm.background import exit_now
from memory_capped_launcher.warm.learning import not_imported, note_imports
from memory_capped_launcher.warm.preload import restore_threads

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, DagsterRun

CRASHED = 3
_NEW_OBJECTS = 10_000
"""Objects that are made until Python looks for cycles among the young ones. At its default of 700 that took 10 to 19 %
of a short run's processor time; cycles of 10,000 objects hold a few megabytes."""


def execute_and_exit(request: RunRequest, *, cap: Cap, log: LogFile, supervisor: int, close: list[int]) -> None:
    """Turn the calling process into the run's process; never return."""
    code = CRASHED
    try:
        die_with_parent(supervisor)
        for descriptor in close:
            os.close(descriptor)
        os.setsid()
        _forget_inherited_signals()
        log.attach()
        os.nice(request.limits.niceness)
        prefer_for_oom_kill()
        cap.enter()
        restore_threads()
        _reseed()
        gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
        missing = not_imported(request.learn_modules)
        code = _execute(request, how=cap.how)
        note_imports(request.warm_folder, missing)
    except BaseException:  # noqa: BLE001 - the outermost loop of a process
        traceback.print_exc()
    finally:
        exit_now(code)


def _forget_inherited_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})


def _reseed() -> None:
    """Seed numpy and torch anew: a fork inherits their state, and all runs would draw the same numbers."""
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if torch := sys.modules.get("torch"):
        torch.seed()


def _execute(request: RunRequest, *, how: str) -> int:
    from dagster import DagsterInstance

    from memory_capped_launcher import dagster_private as private
    from memory_capped_launcher.supervision.connections import kept_connections

    private.setup_interrupt_handlers()  # SIGTERM interrupts the steps, as in Dagster's own command line
    with (
        private.capture_interrupts(),
        kept_connections(on=request.keep_connections),
        DagsterInstance.from_ref(private.deserialize_value(request.instance_ref, private.InstanceRef)) as instance,
    ):
        run = instance.get_run_by_id(request.run_id)
        if run is None:
            raise LookupError(f"run {request.run_id} is not in the instance")
        instance.report_engine_event(_limits_in_words(request, how), run)
        _tell_cancelled_from_failed(instance)
        return private.run_body(resume=request.resume)(
            request.run_id,
            instance,
            lambda event: _react_to(event, instance=instance, request=request),
            set_exit_code_on_failure=True,
        )


def _tell_cancelled_from_failed(instance: DagsterInstance) -> None:
    """Make this process report a run that is being cancelled as cancelled where Dagster would call it failed.

    Between the fork and the first step Dagster raises an error if the run's status is not "starting", which is so for a
    run that is being cancelled, and takes an interrupt for a failure.
    """
    from dagster import DagsterRunStatus

    report_failed = instance.report_run_failed

    def report(run: DagsterRun, *args: Any, **kwargs: Any) -> DagsterEvent:
        current = instance.get_run_by_id(run.run_id)
        if current is not None and current.status is DagsterRunStatus.CANCELING:
            return instance.report_run_canceled(current, "The run was cancelled before its first step.")
        return report_failed(run, *args, **kwargs)

    instance.report_run_failed = report  # type: ignore[assignment,method-assign]


def _limits_in_words(request: RunRequest, how: str) -> str:
    limits = request.limits
    time_limit = f"{limits.timeout_s:g} s" if limits.timeout_s else "none"
    enforced = f"Memory cap {limits.cap_mb} MB, by {how}. Time limit: {time_limit}."
    return " ".join(part for part in (enforced, limits.notes, request.notes) if part)


def _react_to(event: DagsterEvent, *, instance: DagsterInstance, request: RunRequest) -> None:
    """Set the run's tags and status after an event, before the run continues, so that they are right when it ends."""
    from dagster import DagsterEventType, DagsterRunStatus

    if event.is_step_failure and is_for_memory(event.step_failure_data.error):
        lift_memory_limit()
        # The run has not failed yet, so failure sensors will find the tag.
        tags = _no_retries(instance.get_run_by_id(request.run_id))
        instance.add_run_tags(request.run_id, {OUTCOME_TAG: RunOutcome.OUT_OF_MEMORY.value, **tags})
    if event.event_type is DagsterEventType.RUN_START and Register(request.root).cancel_announced(request.run_id):
        run = instance.get_run_by_id(request.run_id)
        if run is not None and run.status is DagsterRunStatus.STARTED:
            instance.report_run_canceling(run)


def _no_retries(run: DagsterRun | None) -> dict[str, str]:
    return {} if run is None or "dagster/max_retries" in run.tags else {"dagster/max_retries": "0"}


def is_for_memory(error: Any) -> bool:
    """Return whether an error, its cause or its context, is an allocator's refusal."""
    return any(word in f"{one.cls_name} {one.message}" for one in _with_causes(error) for word in MEMORY_WORDS)


def _with_causes(error: Any) -> Iterator[Any]:
    """Yield an error, its cause and its context, their causes and contexts, and so on."""
    if error is not None:
        yield error
        yield from _with_causes(error.cause)
        yield from _with_causes(error.context)

"""A file in, one Dagster run of its job out, in a process of its own on this machine.

For the command line, which needs no daemon: a server process has Dagster and the definitions imported (the standard
library's `forkserver`, one thread) and every run is forked from it, so a run starts in a fraction of a second, and its
memory is gone when it ends. The run and its events are in the instance like any other's.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from ingest_assets.defs.dead_runs import PROCESS_TAG, report_dead_runs, this_process
from ingest_assets.defs.partitions import files

_PRELOAD = ["ingest_assets.definitions", "dagster._core.executor.in_process"]
_POLL_S = 0.2
_PR_SET_PDEATHSIG = 1
_STATUS = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_UP_FOR_RETRY: "waiting to try again",
}
_DONE = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run is doing."""

    step: str
    status: str
    """started, succeeded, failed or waiting to try again."""


def run_file(
    instance: dg.DagsterInstance, file_id: str, *, on_progress: Callable[[Progress], None]
) -> dg.DagsterRun | None:
    """Run `ingest_file` for one file, telling what it does; return the run as it ended.

    None where the process died before there was a run.
    """
    report_dead_runs(instance)
    instance.add_dynamic_partitions(files.name or "", [file_id])
    run_id = str(uuid.uuid4())
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    process = context.Process(target=_execute, args=(run_id, file_id, instance.root_directory), daemon=False)
    process.start()
    cursor: str | None = None
    while process.is_alive():
        process.join(_POLL_S)
        cursor = _tell(instance, run_id, cursor, on_progress)
    _tell(instance, run_id, cursor, on_progress)
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status not in _DONE:
        instance.report_run_failed(run, f"the run's process ended with code {process.exitcode}")
        run = instance.get_run_by_id(run_id)
    process.close()
    return run


def _execute(run_id: str, file_id: str, home: str) -> None:
    """Run in the forked child: execute the job, everything it prints going to a log file of its own."""
    from ingest_assets.definitions import defs

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # with the command line goes its run
    _print_to(Path(home) / "logs" / f"{run_id}.log")
    with dg.DagsterInstance.from_config(home) as instance:
        defs.resolve_job_def("ingest_file").execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=file_id,
            raise_on_error=False,
            tags={PROCESS_TAG: this_process()},
        )


def _tell(
    instance: dg.DagsterInstance, run_id: str, cursor: str | None, on_progress: Callable[[Progress], None]
) -> str | None:
    """Report the steps that began or ended since the cursor; return the new one."""
    connection = instance.get_records_for_run(run_id, cursor=cursor, of_type=set(_STATUS))
    for record in connection.records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.step_key:
            on_progress(Progress(step=event.step_key, status=_STATUS[event.event_type]))
    return connection.cursor


def _print_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)

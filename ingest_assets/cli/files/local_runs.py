"""Run a file's job on this machine without a daemon, each attempt in a memory-capped process.

The runs are launched by the home's own `MemoryCappedRunLauncher`. They skip Dagster's queue and wait for their turn on
this host. They are in the instance like all other runs. The sensor `out_of_memory` repeats the daemon's runs; this
module repeats its own, each attempt smaller than the one before, until the file has ended.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from ingest_assets.config.home import prepare_home
from ingest_assets.config.settings import Settings
from ingest_assets.defs.noticing.follow_ups import ended_out_of_memory, follow_up
from ingest_assets.defs.noticing.wanted_runs import sweep_dead_runs
from ingest_assets.defs.partitions import add_partitions, shard_of
from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.defs.queue.requesting_process import PROCESS_TAG, this_process
from ingest_assets.errors import OutsideError
from ingest_assets.project import Project
from memory_capped_launcher.dagster_private import InstanceRef, ReconstructableJob, ReconstructableRepository
from memory_capped_launcher.register import Register
from memory_capped_launcher.run_launcher import MemoryCappedRunLauncher

_POLL_S = 0.05
"""How soon the end of a run is seen; to look at it costs next to nothing."""
_TELL_EVERY_S = 0.5
"""How soon its steps are seen: to read the events costs 24 ms (2026-11-30, a busy machine)."""
_LAUNCHER = {"module": "memory_capped_launcher.run_launcher", "class": "MemoryCappedRunLauncher", "config": {}}
_STATUS = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_UP_FOR_RETRY: "waiting to try again",
}


@dataclass(frozen=True, slots=True)
class RunProgress:
    """What a run is doing."""

    step: str
    status: str
    """started, succeeded, failed or waiting to try again."""


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open the home's instance; if its dagster.yaml names another launcher, use the memory-capped one all the same.

    Raises:
        ConfigError: the home cannot be used.
    """
    home = str(prepare_home(settings))
    instance = dg.DagsterInstance.from_config(home)
    if not isinstance(instance.run_launcher, MemoryCappedRunLauncher):
        instance.dispose()
        overrides: Any = {"run_launcher": _LAUNCHER}
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(home, overrides=overrides))
    with instance:
        yield instance


def run_file(
    instance: dg.DagsterInstance, project: Project, file_id: str, *, on_progress: Callable[[RunProgress], None]
) -> dg.DagsterRun:
    """Run `ingest_file` for one file until it has ended, in smaller and smaller attempts if memory runs out.

    Raises:
        OutsideError: no process could be started.
    """
    sweep_dead_runs(instance)
    count = project.settings.shards
    add_partitions(instance, [file_id], count=count)
    job = _job(shard_of(file_id, count=count).job_name)
    run = _run(instance, job, file_id, tags={}, on_progress=on_progress)
    while ended_out_of_memory(run):
        then = follow_up(run, file_id=file_id, instance=instance, project=project)
        if then.tags is None:
            break
        run = _run(instance, job, file_id, tags=then.tags, on_progress=on_progress)
    return run


def _run(
    instance: dg.DagsterInstance,
    job: ReconstructableJob,
    file_id: str,
    *,
    tags: Mapping[str, str],
    on_progress: Callable[[RunProgress], None],
) -> dg.DagsterRun:
    """Launch one run and follow it to its end; an interrupt cancels it."""
    own = {PARTITION_TAG: file_id, PROCESS_TAG: this_process()}
    with _interrupts_held_back() as interrupts:
        run = instance.create_run_for_job(
            job.get_definition(), tags={**tags, **own}, job_code_origin=job.get_python_origin()
        )
        _launch(instance, run.run_id, file_id)
    try:
        if interrupts:
            raise KeyboardInterrupt
        _follow(instance, run.run_id, on_progress)
    except KeyboardInterrupt:
        instance.run_launcher.terminate(run.run_id)
        _follow(instance, run.run_id, on_progress)
        raise
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None, "a run that ended is in the instance"
    return ended


def _launch(instance: dg.DagsterInstance, run_id: str, file_id: str) -> None:
    try:
        instance.launch_run(run_id, None)  # type: ignore[arg-type]  # the launcher needs no workspace
    except Exception as error:  # any error of the launcher; Dagster has noted it in the run
        raise OutsideError(f"{file_id}: its run could not be started: {error}") from error


@contextmanager
def _interrupts_held_back() -> Iterator[list[int]]:
    """Remember interrupts instead of raising them: Dagster would take one during a launch for a failed launch."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _follow(instance: dg.DagsterInstance, run_id: str, on_progress: Callable[[RunProgress], None]) -> None:
    """Report what a run does until it has ended and its end has a name."""
    register = Register(Path(instance.root_directory) / "launcher")
    cursor: str | None = None
    told_at = time.monotonic()
    while register.knows(run_id):
        time.sleep(_POLL_S)
        if time.monotonic() - told_at >= _TELL_EVERY_S:
            cursor = _tell(instance, run_id, cursor, on_progress)
            sweep_dead_runs(instance)
            told_at = time.monotonic()
    _tell(instance, run_id, cursor, on_progress)


def _tell(
    instance: dg.DagsterInstance, run_id: str, cursor: str | None, on_progress: Callable[[RunProgress], None]
) -> str | None:
    """Report the steps that began or ended since the cursor; return the new one."""
    connection = instance.get_records_for_run(run_id, cursor=cursor, of_type=set(_STATUS))
    for record in connection.records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.step_key:
            on_progress(RunProgress(step=event.step_key, status=_STATUS[event.event_type]))
    return connection.cursor


def _job(name: str) -> ReconstructableJob:
    root = str(Path(__file__).resolve().parents[3])
    repository = ReconstructableRepository.for_module("ingest_assets.definitions", "defs", root)
    return repository.get_reconstructable_job(name)

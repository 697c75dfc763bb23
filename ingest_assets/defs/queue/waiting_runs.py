"""Tell which files wait for their run, in which order they are served, and how long that will take.

The order is the one in which Dagster's queue and the launcher serve them (`turns.py`): runs that the queue has handed
over come first, then those that wait in it, each by priority and then by age. The estimate is the mean time of the last
runs times the runs that come before; the mean and not the median, because the sum of many runs is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.defs.queue.turns import priority_in, queued_runs
from memory_capped_launcher.run_launcher import MemoryCappedRunLauncher

_LAST_RUNS = 50
_MOST_HANDED_OVER = 1000
"""The queue hands over `max_concurrent_runs`, 4 where nothing else is set."""
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A file that waits for its run."""

    file_id: str
    run_id: str
    place: int
    """From 1: the next one that starts."""
    expected_s: float | None
    """Seconds until its run starts; None before the first run of all has ended."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """How much is in the queue."""

    waiting: int
    """Runs that have not started; those of a backfill are not of the job `ingest_file`, so all runs count."""
    running: int
    run_s: float | None
    """Mean time of a file's run, of the last 50 that ended; None if none has."""
    expected_s: float | None
    """Seconds until all that wait have ended; None if no run has ended yet."""


def queue_state(instance: dg.DagsterInstance) -> QueueState:
    """Count what waits and runs, in a time that does not depend on how much it is."""
    waiting, running = (
        instance.get_runs_count(dg.RunsFilter(statuses=statuses))
        for statuses in (
            [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING],
            [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING],
        )
    )
    run_s = mean_run_s(instance)
    expected_s = None if run_s is None else (waiting + running) * run_s / runs_at_once(instance)
    return QueueState(waiting, running, run_s, expected_s)


def waiting_runs(instance: dg.DagsterInstance) -> list[WaitingRun]:
    """List the files that wait, in the order in which they are served; reads the whole queue, 0.2 ms a run."""
    starting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED])
    handed_over = instance.get_runs(filters=starting, limit=_MOST_HANDED_OVER, ascending=True)
    ordered = [*_by_priority(handed_over), *_by_priority(list(queued_runs(instance)))]
    running = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    run_s, at_once = mean_run_s(instance), runs_at_once(instance)
    return [
        WaitingRun(
            file_id=run.tags[PARTITION_TAG],
            run_id=run.run_id,
            place=place,
            expected_s=None if run_s is None else (running + place - 1) * run_s / at_once,
        )
        for place, run in enumerate(ordered, start=1)
        if PARTITION_TAG in run.tags
    ]


def mean_run_s(instance: dg.DagsterInstance) -> float | None:
    """Return the mean time of the last runs of files, in seconds; None if no run has ended."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=_LAST_RUNS)
    times = [
        record.end_time - record.start_time
        for record in records
        if record.start_time and record.end_time and PARTITION_TAG in record.dagster_run.tags
    ]
    return sum(times) / len(times) if times else None


def runs_at_once(instance: dg.DagsterInstance) -> int:
    """Return how many runs this host executes side by side."""
    launcher = instance.run_launcher
    return launcher.config.max_parallel if isinstance(launcher, MemoryCappedRunLauncher) else 1


def _by_priority(runs: Sequence[dg.DagsterRun]) -> list[dg.DagsterRun]:
    return sorted(runs, key=lambda run: -priority_in(run.tags))

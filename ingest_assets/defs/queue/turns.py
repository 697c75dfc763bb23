"""Tag runs with their turn: the priority by which Dagster's queue and the launcher order them.

`turn_tags` is called where runs are requested, in sensors, schedules, the command line and the API. Runs that come
another way (the UI, backfills, Dagster's own commands) get the same tags from `run_coordinator.py` when they enter the
queue. `stages/planning/turns.py` has the rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.file_ids import key_of
from ingest_assets.stages.planning.turns import Asked, AskedBy, Place, WaitingFiles, priorities_of

PRIORITY_TAG = "dagster/priority"
"""Dagster starts the run with the highest number first, and runs of one number in the order of their requests."""
BACKFILL_TAG = "dagster/backfill"

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A file whose run is about to be requested."""

    file_id: str
    asked_by: AskedBy
    size_bytes: int | None = None
    """None if it is not known."""


def turn_tags(instance: dg.DagsterInstance, requests: Sequence[TurnRequest]) -> list[dict[str, str]]:
    """Return the tags of each request's run, in the order of the requests.

    The runs that wait are read once for all of them: about 20 ms for each hundred runs in the queue.
    """
    asked = [Asked(user_of(each.file_id), each.asked_by, each.size_bytes) for each in requests]
    priorities = priorities_of(asked, waiting=waiting_files(instance)) if asked else []
    return [{PRIORITY_TAG: str(priority)} for priority in priorities]


def waiting_files(instance: dg.DagsterInstance) -> WaitingFiles:
    """Read which files wait in Dagster's queue."""
    waiting = WaitingFiles()
    for run in queued_runs(instance):
        place = Place.of_priority(priority_in(run.tags))
        if place is not None and PARTITION_TAG in run.tags:
            waiting.add(turn_of(run.tags), place)
    return waiting


def queued_runs(instance: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    """Yield the runs that wait in Dagster's queue, oldest first, a page at a time."""
    queued, cursor = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), None
    while runs := instance.get_runs(filters=queued, cursor=cursor, limit=_PAGE, ascending=True):
        yield from runs
        cursor = runs[-1].run_id


def priority_in(tags: Mapping[str, str]) -> int:
    """Return a run's priority as Dagster reads it: 0 if it has none, or one that is no number."""
    try:
        return int(tags.get(PRIORITY_TAG, "0"))
    except ValueError:
        return 0


def turn_of(tags: Mapping[str, str]) -> str:
    """Return whose turn a run takes: its backfill's, else that of the user whose file it is."""
    backfill = tags.get(BACKFILL_TAG)
    return f"backfill {backfill}" if backfill else user_of(tags.get(PARTITION_TAG, ""))


def user_of(file_id: str) -> str:
    """Return the user in a partition key, also in one that no file has."""
    return key_of(file_id).partition("/")[0]

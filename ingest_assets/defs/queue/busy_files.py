"""Tell which files have a run that is queued or running, so that no second run is requested for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from ingest_assets.batches import batches

PARTITION_TAG = "dagster/partition"
PURGED_FILE_TAG = "ingest/file_id"
SETTLED_TAG = "ingest/settled"
"""How a failed run was followed up: it was repeated, or its failure was recorded."""
SETTLED_WITHIN_S = 60
"""By then a sensor has put a failed or cancelled run into the ledger; if none did, the file is asked for again."""
_AT_ONCE = 200
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def files_in_runs(instance: dg.DagsterInstance, among: Sequence[str] | None = None) -> set[str]:
    """Return the file_ids that unfinished runs name in their tags, of all files or only among these."""
    if among is None:
        return _named(instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)))
    found: set[str] = set()
    for names in batches(among, _AT_ONCE):
        for tag in (PARTITION_TAG, PURGED_FILE_TAG):
            found |= _named(instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED, tags={tag: names})))
    return found


def files_not_settled(instance: dg.DagsterInstance, among: Sequence[str]) -> set[str]:
    """Return the files whose run failed or was cancelled less than a minute ago and is not in the ledger yet."""
    since = datetime.now(UTC) - timedelta(seconds=SETTLED_WITHIN_S)
    found: set[str] = set()
    for names in batches(among, _AT_ONCE):
        lately = dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=since, tags={PARTITION_TAG: names})
        found |= _named(run for run in instance.get_runs(filters=lately) if SETTLED_TAG not in run.tags)
    return found


def _named(runs: Iterable[dg.DagsterRun]) -> set[str]:
    return {run.tags[name] for run in runs for name in (PARTITION_TAG, PURGED_FILE_TAG) if name in run.tags}

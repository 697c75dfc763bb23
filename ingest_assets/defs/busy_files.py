"""List the files that a queued or running run processes, so that no second run is requested for them."""

from __future__ import annotations

import dagster as dg

PARTITION_TAG = "dagster/partition"
PURGED_FILE_TAG = "ingest/file_id"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def files_in_runs(instance: dg.DagsterInstance) -> set[str]:
    """Return the file_ids that unfinished runs name in their tags."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED))
    return {run.tags[name] for run in runs for name in (PARTITION_TAG, PURGED_FILE_TAG) if name in run.tags}

"""An instance in, the files that somebody is working on out."""

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
    """Return the files that a queued or running run is about."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED))
    tags = [run.tags for run in runs]
    return {tag[name] for tag in tags for name in (PARTITION_TAG, PURGED_FILE_TAG) if name in tag}

"""Remove what no file and no person needs any more: artifacts and partitions without a file, old runs, old messages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from ingest_assets.defs.partitions import remove_retired_partitions
from ingest_assets.project import Project
from ingest_assets.uploads.opening import sweep_uploads

_PAGE = 100
_DAY_S = 86_400.0


@dataclass(slots=True)
class Swept:
    """What one sweep did."""

    differed: int = 0
    """Files of which the index did not know what the ledger says."""
    artifacts: int = 0
    """Results of assets whose file is gone."""
    partitions: int = 0
    """Partitions in copies of the graph that INGEST_SHARDS no longer has."""
    runs: int = 0
    messages: int = 0
    """Messages that were delivered or given up, and set aside."""
    uploads: int = 0
    """Uploads that were never finished, and jobs that were kept long ago."""


def sweep(project: Project, instance: dg.DagsterInstance) -> Swept:
    """Sweep; what is younger than the setting's days stays.

    Partitions without a file are purged by the sensor, which compares them at the end of each listing.

    Raises:
        OutsideError: the store, the index database or the artifacts are away.
    """
    from ingest_assets.messaging.outbox_upkeep import sweep as sweep_outbox

    days = project.settings.keep_days
    swept = Swept(differed=project.rebuild_index())
    known = project.index.file_ids().all
    swept.artifacts = project.artifacts.remove_leftovers(known, before=time.time() - _DAY_S)
    swept.partitions = remove_retired_partitions(instance, count=project.settings.shards)
    swept.runs = delete_old_runs(instance, days=days)
    swept.messages = project.inbox.sweep(days=days) + sweep_outbox(project.outbox, days=days)
    swept.uploads = sweep_uploads(project)
    project.usage.sweep(days=days)
    project.reservations.sweep()
    project.search_counts.fade()
    return swept


def delete_old_runs(instance: dg.DagsterInstance, *, days: int) -> int:
    """Delete the records and events of runs that ended more than so many days ago; return how many there were."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = dg.RunsFilter(statuses=ended, updated_before=datetime.now(UTC) - timedelta(days=days))
    events, deleted = Path(instance.root_directory) / "history" / "runs", 0
    while runs := instance.get_runs(filters=old, limit=_PAGE):
        for run in runs:
            instance.delete_run(run.run_id)
            # Dagster empties a run's own SQLite file and leaves it there, 260 kB each (1.13.27).
            (events / f"{run.run_id}.db").unlink(missing_ok=True)
        deleted += len(runs)
    return deleted

"""Start, cancel and resume Dagster backfills of files: all, some, those that failed, those that are out of date.

A backfill that is started here is the same as one that the UI's *Materialize all* starts: the daemon makes a run for
each file, the page *Backfills* shows it, and it can be cancelled and repeated there. Dagster's command
`dagster job backfill` cannot name every file: it prints the names in columns and divides by zero where one is longer
than the terminal is wide (1.13.27, `print_partition_format`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from ingest_assets.defs.assets.graph import chunks, embeddings, image_captions, parsed_documents, raw_files
from ingest_assets.defs.partitions import FILES
from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.defs.queue.turns import BACKFILL_TAG
from ingest_assets.errors import BadInput

ASSETS = (raw_files, parsed_documents, image_captions, chunks, embeddings)
_DAEMON = "BACKFILL"
_ALIVE_S = 120.0
"""The daemon leaves a heartbeat every 30 s; four times that, because the iteration before may be long."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill of files."""

    backfill_id: str
    files: int
    status: str
    """Dagster's word for it: REQUESTED, CANCELING, COMPLETED_SUCCESS, …"""


def start_backfill(instance: dg.DagsterInstance, file_ids: Sequence[str], *, title: str) -> Backfill:
    """Ask the daemon for a run of each file.

    Raises:
        BadInput: there are no files.
    """
    names = list(dict.fromkeys(file_ids))
    if not names:
        raise BadInput("a backfill needs at least one file")
    # Dagster fails a whole backfill for one key that it does not know, such as one that a person deleted.
    instance.add_dynamic_partitions(FILES, names)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=_asset_graph(),
        partition_names=names,
        asset_selection=[asset.key for asset in ASSETS],
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=title,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return Backfill(backfill.backfill_id, len(names), backfill.status.value)


def cancel_backfill(instance: dg.DagsterInstance, backfill_id: str) -> Backfill:
    """Ask the daemon to cancel a backfill with its runs; one that has ended stays as it is.

    Raises:
        BadInput: there is no such backfill.
    """
    backfill = _find(instance, backfill_id)
    if backfill.status not in BULK_ACTION_TERMINAL_STATUSES:
        backfill = backfill.with_status(BulkActionStatus.CANCELING)  # type: ignore[no-untyped-call]
        instance.update_backfill(backfill)
    return Backfill(backfill_id, len(files_of(backfill)), backfill.status.value)


def resume_backfill(instance: dg.DagsterInstance, backfill_id: str) -> Backfill | None:
    """Start a backfill of the files of an earlier one that did not succeed in it; None if all did.

    Raises:
        BadInput: there is no such backfill, or it has not ended.
    """
    before = _find(instance, backfill_id)
    if before.status not in BULK_ACTION_TERMINAL_STATUSES:
        raise BadInput(f"backfill {backfill_id} has not ended ({before.status.value}); cancel it or wait for it")
    done = _succeeded(instance, backfill_id)
    left = [file_id for file_id in files_of(before) if file_id not in done]
    return start_backfill(instance, left, title=f"the rest of {backfill_id}") if left else None


def files_of(backfill: PartitionBackfill) -> list[str]:
    """List the files of a backfill, also of one that was started in the UI or by `dagster job backfill`."""
    if not backfill.is_asset_backfill:
        return list(backfill.partition_names or [])
    target = backfill.get_asset_backfill_data(_asset_graph()).target_subset
    return sorted({str(part.partition_key) for part in target.iterate_asset_partitions() if part.partition_key})


def daemon_is_running(instance: dg.DagsterInstance) -> bool:
    """Tell whether a daemon that starts the runs of backfills has been there in the last two minutes."""
    heartbeat = instance.get_daemon_heartbeats().get(_DAEMON)
    return heartbeat is not None and time.time() - heartbeat.timestamp < _ALIVE_S


def _succeeded(instance: dg.DagsterInstance, backfill_id: str) -> set[str]:
    tags = {BACKFILL_TAG: backfill_id}
    runs = instance.get_runs(filters=dg.RunsFilter(tags=tags, statuses=[dg.DagsterRunStatus.SUCCESS]))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def _find(instance: dg.DagsterInstance, backfill_id: str) -> PartitionBackfill:
    backfill = instance.get_backfill(backfill_id)
    if backfill is None:
        raise BadInput(f"there is no backfill {backfill_id}; the page *Backfills* of Dagster's UI lists their ids")
    return backfill


def _asset_graph() -> AssetGraph:
    return AssetGraph.from_assets(ASSETS)

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
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from ingest_assets.defs.assets.copies import assets_of
from ingest_assets.defs.partitions import add_partitions, by_shard, shards_of
from ingest_assets.defs.queue.busy_files import PARTITION_TAG
from ingest_assets.defs.queue.turns import BACKFILL_TAG
from ingest_assets.errors import BadInput

_DAEMON = "BACKFILL"
_ALIVE_S = 120.0
"""The daemon leaves a heartbeat every 30 s; four times that, because the iteration before may be long."""


_OVERWRITTEN_WITHIN_S = 3.0
"""The daemon reads a backfill, works, and writes it whole, with the status it read (1.13.27, `asset_backfill.py`)."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill of files."""

    backfill_id: str
    files: int
    status: str
    """Dagster's word for it: REQUESTED, CANCELING, COMPLETED_SUCCESS, …"""


def start_backfill(instance: dg.DagsterInstance, file_ids: Sequence[str], *, title: str, shards: int) -> Backfill:
    """Ask the daemon for a run of each file; the project has so many `shards`.

    Raises:
        BadInput: there are no files.
    """
    names = list(dict.fromkeys(file_ids))
    if not names:
        raise BadInput("a backfill needs at least one file")
    # Dagster fails a whole backfill for one key that it does not know, such as one that a person deleted.
    add_partitions(instance, names, count=shards)
    wanted = {
        AssetKeyPartitionKey(asset.key, name)
        for shard, of_shard in by_shard(names, count=shards).items()
        for asset in assets_of(shard)
        for name in of_shard
    }
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=instance,
        asset_graph_subset=AssetGraphSubset.from_asset_partition_set(wanted, _asset_graph(shards)),
        title=title,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return Backfill(backfill.backfill_id, len(names), backfill.status.value)


def cancel_backfill(instance: dg.DagsterInstance, backfill_id: str, *, shards: int) -> Backfill:
    """Ask the daemon to cancel a backfill with its runs; one that has ended stays as it is.

    Raises:
        BadInput: there is no such backfill.
    """
    backfill = _asked_to_cancel(instance, backfill_id)
    until = time.monotonic() + (_OVERWRITTEN_WITHIN_S if daemon_is_running(instance) else 0.0)
    while backfill.status is BulkActionStatus.CANCELING and time.monotonic() < until:
        time.sleep(0.3)
        backfill = _asked_to_cancel(instance, backfill_id)
    return Backfill(backfill_id, len(files_of(backfill, shards=shards)), backfill.status.value)


def _asked_to_cancel(instance: dg.DagsterInstance, backfill_id: str) -> PartitionBackfill:
    backfill = _find(instance, backfill_id)
    if backfill.status not in {*BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus.CANCELING}:
        backfill = backfill.with_status(BulkActionStatus.CANCELING)  # type: ignore[no-untyped-call]  # Dagster gives no types here
        instance.update_backfill(backfill)
    return backfill


def resume_backfill(instance: dg.DagsterInstance, backfill_id: str, *, shards: int) -> Backfill | None:
    """Start a backfill of the files of an earlier one that did not succeed in it; None if all did.

    Raises:
        BadInput: there is no such backfill, or it has not ended.
    """
    before = _find(instance, backfill_id)
    if before.status not in BULK_ACTION_TERMINAL_STATUSES:
        raise BadInput(f"backfill {backfill_id} has not ended ({before.status.value}); cancel it or wait for it")
    done = _succeeded(instance, backfill_id)
    left = [file_id for file_id in files_of(before, shards=shards) if file_id not in done]
    return start_backfill(instance, left, title=f"the rest of {backfill_id}", shards=shards) if left else None


def files_of(backfill: PartitionBackfill, *, shards: int) -> list[str]:
    """List the files of a backfill, also of one that was started in the UI or by `dagster job backfill`."""
    if not backfill.is_asset_backfill:
        return list(backfill.partition_names or [])
    target = backfill.get_asset_backfill_data(_asset_graph(shards)).target_subset
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


def _asset_graph(shards: int) -> AssetGraph:
    return AssetGraph.from_assets([asset for shard in shards_of(shards) for asset in assets_of(shard)])

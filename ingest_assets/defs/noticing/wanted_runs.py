"""Decide which runs are needed now: what the sensor, `ingest work` and `ingest listen` ask for, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from ingest_assets.defs.partitions import all_partitions, by_shard, shard_of
from ingest_assets.defs.queue.busy_files import files_in_runs, files_not_settled
from ingest_assets.index.deletes import WaitingDeletes
from ingest_assets.index.pending_files import PendingFile
from ingest_assets.noticing.looking import IndexIsBehind, Noticed
from ingest_assets.project import Project
from memory_capped_launcher.register import Register
from memory_capped_launcher.supervision.sweep import sweep

MAX_REQUESTS = 100
"""Runs asked for at once. A tick with thousands passes Dagster's 60 s deadline and repeats for ever."""
_CANDIDATES = 3 * MAX_REQUESTS
"""Pending files that are examined. If all of them have runs already, the queue is long enough."""

_MOVED_AT_ONCE = 1000
"""Partitions taken out of their earlier shard in one tick, a millisecond each."""


@dataclass(slots=True)
class Wanted:
    """The runs that are needed now."""

    ingest: list[PendingFile] = field(default_factory=list)
    purge: list[str] = field(default_factory=list)
    """file_ids of which everything is to be removed."""
    waiting_deletes: list[WaitingDeletes] = field(default_factory=list)
    """Deletes that wait for a person."""
    in_runs: int = 0
    """Pending files that have a run already."""
    noticed: Noticed = field(default_factory=Noticed)
    needs_index: bool = False
    """The index does not agree with the ledger and has to be made again first."""


def wanted_runs(
    instance: dg.DagsterInstance,
    project: Project,
    *,
    within_s: float,
    whole: bool = False,
    limit: int = MAX_REQUESTS,
) -> Wanted:
    """Look at the bucket for so long, or with `whole` to its end, and say which runs are needed.

    Raises:
        ConfigError: another bucket is there now.
        OutsideError: the store or the index database is away.
    """
    project.follow_model_change()
    sweep_dead_runs(instance)
    project.follow_bucket()
    if not project.is_index_built():
        return Wanted(needs_index=True)
    try:
        under_way = project.index.on_their_way()
        busy = files_in_runs(instance, under_way)  # a run that begins after this is not among them
        project.noticing.agree_with_ledger(at_rest=[file_id for file_id in under_way if file_id not in busy])
    except IndexIsBehind:
        return Wanted(needs_index=True)
    wanted = Wanted(noticed=project.noticing.look(within_s=within_s, whole=whole))
    if wanted.noticed.is_at_end:
        wanted.purge += agree_with_partitions(instance, project)[:limit]
    choose(wanted, instance, project, limit=limit)
    if wanted.noticed.is_away:  # no run could read its file
        wanted.ingest.clear()
    if wanted.noticed.is_away or wanted.noticed.is_unknown:
        wanted.purge.clear()
    return wanted


def choose(wanted: Wanted, instance: dg.DagsterInstance, project: Project, *, limit: int = MAX_REQUESTS) -> None:
    """Choose what is asked for: files whose runs have ended and are in the ledger."""
    pending = project.pending.next(limit=max(limit, _CANDIDATES))
    gone, wanted.waiting_deletes = project.deletes.gone(limit=_CANDIDATES)
    names = [each.file_id for each in pending] + wanted.purge + gone
    busy = files_in_runs(instance, names) | files_not_settled(instance, names)
    wanted.in_runs = sum(each.file_id in busy for each in pending)
    # A run that ended after the pending files were read has put its file into the index by now.
    still = project.pending.still([each.file_id for each in pending if each.file_id not in busy])
    wanted.ingest = [each for each in pending if each.file_id in still][:limit]
    free = limit - len(wanted.ingest)
    wanted.purge = [each for each in dict.fromkeys([*wanted.purge, *gone]) if each not in busy][:free]


def agree_with_partitions(instance: dg.DagsterInstance, project: Project) -> list[str]:
    """Add the partitions that a person deleted by hand; return those that name no file.

    A file without its partition is searchable, and cannot be materialised in the UI. After a change of the number of
    shards, partitions move here.
    """
    known, count = project.index.file_ids(), project.settings.shards
    wanted, there = by_shard(known.in_ledger, count=count), all_partitions(instance, count=count)
    for shard, names in wanted.items():
        if lost := sorted(set(names) - there[shard]):
            instance.add_dynamic_partitions(shard.partitions, lost)
    moved = [
        (shard, name)
        for shard, names in there.items()
        for name in names & known.all
        if shard_of(name, count=count) != shard
    ]
    for shard, name in moved[:_MOVED_AT_ONCE]:
        instance.delete_dynamic_partition(shard.partitions, name)
    return sorted(set().union(*there.values()) - known.all)


def sweep_dead_runs(instance: dg.DagsterInstance) -> None:
    """Name the ends of runs that died together with their supervisor."""
    sweep(Register(Path(instance.root_directory) / "launcher"), instance)

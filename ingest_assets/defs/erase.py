"""Remove everything that is kept of a user, or of one of its projects: what a person may ask for by law.

Files in the bucket, chunks with their vectors and words, records, artifacts, captions that no other owner's file shows,
messages, and the runs with their events. It can be repeated: a call that was killed is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from ingest_assets.batches import batches
from ingest_assets.config.run_settings import MOST_SHARDS
from ingest_assets.defs.partitions import all_partitions
from ingest_assets.defs.purge import purge
from ingest_assets.defs.queue.busy_files import PARTITION_TAG, PURGED_FILE_TAG, files_in_runs
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import key_of, nfc
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from ingest_assets.stores.contract import all_records
from ingest_assets.uploads.opening import erase_uploads

_AT_ONCE = 100


@dataclass(slots=True)
class Erased:
    """What one call removed."""

    user_id: str
    project_id: str
    """Empty: all of the user's projects."""
    objects: int = 0
    """Files in the bucket."""
    records: int = 0
    """Entries of the ledger, each with its artifacts, captions and partition."""
    rows: int = 0
    """Chunks in the store."""
    messages: int = 0
    """Messages about the files, delivered or not."""
    uploads: int = 0
    """Jobs of uploads."""
    runs: int = 0
    """Dagster's runs with their events."""


def erase(project: Project, instance: dg.DagsterInstance, *, user_id: str, project_id: str = "") -> Erased:
    """Remove all that is kept of a user, or of one project of it.

    Raises:
        BadInput: the user is empty, or a name holds a slash.
        OutsideError: a file of the owner is being ingested, or a service is away; nothing or a part was removed.
    """
    if not user_id or "/" in user_id + project_id:
        raise BadInput("name one user, and one project or none; neither holds a slash")
    erased = Erased(user_id, project_id)
    owner = _Owner(nfc(user_id), nfc(project_id))
    owned = _owned(project, instance, owner)
    if busy := files_in_runs(instance, owned):
        raise OutsideError(f"{key_of(min(busy))}: it is being ingested; cancel its run, or erase when it has ended")
    # First: a job that is not finished would put its files into the bucket again.
    erased.uploads = erase_uploads(project, user_id=owner.user_id, project_id=owner.project_id)
    erased.objects = _empty_bucket(project, owner)
    for file_id in owned:
        erased.rows += _purge_gone(file_id, project=project, instance=instance)
        erased.records += 1
    erased.messages = _erase_tables(project, owner)
    for file_ids in batches(owned, _AT_ONCE):
        erased.runs += _delete_runs(instance, file_ids)
    return erased


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose files are erased."""

    user_id: str
    project_id: str

    @property
    def prefix(self) -> str:
        """The beginning of the keys of all its files."""
        return f"{self.user_id}/{self.project_id}/" if self.project_id else f"{self.user_id}/"


def _owned(project: Project, instance: dg.DagsterInstance, owner: _Owner) -> list[str]:
    """List the files that the ledger, the index or a partition knows."""
    known = {record.file_id for record in all_records(project.store)} | set(project.index.file_ids().all)
    for names in all_partitions(instance, count=MOST_SHARDS).values():
        known |= set(names)
    return sorted(file_id for file_id in known if key_of(file_id).startswith(owner.prefix))


def _empty_bucket(project: Project, owner: _Owner) -> int:
    """Remove the owner's objects, and count them."""
    before: list[str] = []
    removed = 0
    while keys := list(_keys(project, owner.prefix)):  # one of two forms of a name is shown when the other is gone
        if keys == before:
            raise OutsideError(f"{keys[0]}: the bucket does not remove it")
        before = keys
        for key in keys:
            project.bucket.delete(key)
        removed += len(keys)
    return removed


def _purge_gone(file_id: str, *, project: Project, instance: dg.DagsterInstance) -> int:
    """Purge a file that is no longer in the bucket, and count its rows."""
    rows = purge(file_id, project=project, instance=instance)
    if rows is None:
        raise OutsideError(f"{key_of(file_id)}: it is in the bucket again; erase once more")
    return rows


def _erase_tables(project: Project, owner: _Owner) -> int:
    """Erase the owner's rows from each table of the instance's database, and count the messages among them."""
    project.inbox.erase(owner.prefix)
    project.listing.erase(owner.prefix)
    for table in (project.deletes, project.usage, project.reservations, project.search_counts, project.file_details):
        table.erase(user_id=owner.user_id, project_id=owner.project_id)
    return project.erase_messages(user_id=owner.user_id, project_id=owner.project_id)


def _keys(project: Project, prefix: str) -> Iterator[str]:
    """Yield the keys of the owner's objects, also of those that are no file of a project."""
    for item in project.bucket.list():
        if isinstance(item, BucketObject) and item.key.startswith(prefix):
            yield item.key


def _delete_runs(instance: dg.DagsterInstance, file_ids: list[str]) -> int:
    deleted = 0
    for tag in (PARTITION_TAG, PURGED_FILE_TAG):
        while runs := instance.get_runs(filters=dg.RunsFilter(tags={tag: file_ids}), limit=_AT_ONCE):
            for run in runs:
                instance.delete_run(run.run_id)
                # Dagster empties a run's own SQLite file and leaves it there.
                (Path(instance.root_directory) / "history/runs" / f"{run.run_id}.db").unlink(missing_ok=True)
            deleted += len(runs)
    return deleted

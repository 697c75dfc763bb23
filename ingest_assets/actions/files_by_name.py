"""Remove a file that a person names, or have it read again, without starting a run here.

Runs are started by the sensor and by `ingest listen`, which look at the index. So a file is asked for again by emptying
the version of its record: then the version in the bucket counts as not attempted yet.
"""

from __future__ import annotations

from dataclasses import replace

from ingest_assets.errors import BadInput
from ingest_assets.file_ids import is_in_bucket, key_of
from ingest_assets.index.scope_files import ScopeFiles
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import Origin
from ingest_assets.project import Project


class FileIsBusy(BadInput):
    """A run reads the file now."""


def remove(project: Project, file_id: str) -> int | None:
    """Remove a file from the bucket with its chunks, record and artifacts; return the chunks, None if it is unknown.

    Killed in between, the file is gone from the bucket, and the next looks at it remove the rest. Its partition of
    Dagster goes with the nightly sweep.

    Raises:
        FileIsBusy: a run reads it now.
        OutsideError: the bucket or the store is away.
    """
    record = project.store.file(file_id)
    if not is_in_bucket(file_id):
        return project.store.delete(file_id) if record is not None else None
    key = key_of(file_id)
    _refuse_busy(project, file_id)
    if record is None and project.bucket.stat(key) is None:
        return None
    project.bucket.delete(key)
    project.looks.keys({key: None})
    rows = project.store.delete(file_id)
    project.artifacts.delete(file_id)
    return rows


def ask_again(project: Project, file_id: str, *, afresh: bool) -> bool:
    """Have a file of the bucket count as not attempted yet; return False if it is unknown.

    With `afresh`, what earlier runs kept of it is removed, so that every stage is done again.

    Raises:
        FileIsBusy: a run reads it now.
        BadInput: it is gone from the bucket.
        OutsideError: the bucket or the store is away.
    """
    record = project.store.file(file_id)
    _refuse_busy(project, file_id)
    key = key_of(file_id)
    there = project.bucket.stat(key)
    if record is None and there is None:
        return False
    if there is None:
        raise BadInput(f"{key}: it is gone from the bucket; upload it again")
    if afresh:
        project.artifacts.delete(file_id)
    if record is not None and record.origin is Origin.BUCKET:
        project.store.note(replace(record, version=""))
    project.looks.keys({key: there})
    project.inbox.put([key], why="request")  # the sensor looks at these first
    return True


def _refuse_busy(project: Project, file_id: str) -> None:
    underway = ScopeFiles(project.database).underway([file_id]).get(file_id)
    if underway is not None and underway.state is PassingState.PROCESSING:
        raise FileIsBusy(f"{key_of(file_id)}: it is being read; try again when its run has ended")

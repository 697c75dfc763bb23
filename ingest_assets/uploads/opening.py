"""Open what keeps uploads for a project, and remove what uploads have left behind."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

from ingest_assets.actions.files_by_name import FileIsBusy, ask_again
from ingest_assets.errors import BadInput
from ingest_assets.project import Project
from ingest_assets.uploads.idempotency import RepeatedRequests
from ingest_assets.uploads.jobs import Jobs
from ingest_assets.uploads.keeping import Keeping
from ingest_assets.uploads.locations import copy_into

_DAY_S = 86_400.0


def open_keeping(project: Project) -> Keeping:
    """Open what gives uploads their keys; nothing is connected yet."""
    return Keeping(
        jobs=Jobs(project.database),
        bucket=project.bucket,
        outbox=project.outbox,
        listeners=project.index.listeners,
        copy=partial(copy_into, project.bucket, settings=project.settings),
        read_again=partial(_read_again, project),
    )


def sweep_uploads(project: Project) -> int:
    """Finish what a killed service left, and remove what is old; return how many uploads and jobs were removed.

    Raises:
        OutsideError: the bucket or the index database is away.
    """
    keeping = open_keeping(project)
    keeping.finish_open()
    removed = project.bucket.sweep_staged(before=time.time() - _DAY_S, keep=keeping.jobs.staged_names())
    RepeatedRequests(project.database).sweep()
    project.file_details.sweep()
    return removed + keeping.jobs.sweep(days=project.settings.keep_days)


def erase_uploads(project: Project, *, user_id: str, project_id: str = "") -> int:
    """Forget the jobs of a user or a project, and remove their uploads that have no key yet; return how many jobs."""
    jobs = Jobs(project.database).erase(user_id=user_id, project_id=project_id)
    for name in (file.staged for job in jobs for file in job.files if file.staged):
        project.bucket.staged(name).discard()
    return len(jobs)


def _read_again(project: Project, file_id: str, metadata: str) -> None:
    """Have a file read again, unless its chunks carry this metadata; a run that reads it now looks at its end itself.

    Raises:
        OutsideError: the bucket or the store is away.
    """
    record = project.store.file(file_id)
    if record is not None and record.metadata != metadata:
        with suppress(FileIsBusy, BadInput):  # it left the bucket
            ask_again(project, file_id, afresh=False)

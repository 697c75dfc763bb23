"""Keep jobs, and say what became of the files of one.

The state of a file is derived, each time that somebody asks, from what the index knows of the version that the job
brought. So a job survives the restart of everything, needs no process that follows it, and two services on one database
answer the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from ingest_assets.batches import batches
from ingest_assets.index.attempts import attempts_of
from ingest_assets.index.database import Database
from ingest_assets.index.file_table import FILES_TABLE
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import Scope, State
from ingest_assets.uploads.job_table import IS_OPEN, JOBS, Job, JobFile, job_of_row, row_of_job

_DAY_S = 86_400.0
_AT_ONCE = 500
_LATEST = 20
"""Jobs that are read for a file: a run starts soon after its request, or some other change caused it."""
_KNOWN = FILES_TABLE.c


class JobFileState(StrEnum):
    """Where a file of a job is."""

    RECEIVING = "receiving"
    """It is not in the bucket under its key yet."""
    PENDING = "pending"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    EMPTY = "empty"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """It was not kept."""
    REPLACED = "replaced"
    """Another version came after it."""
    REMOVED = "removed"
    """It is no longer in the bucket."""

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens to the file unless somebody changes it or asks."""
        return self not in {JobFileState.RECEIVING, JobFileState.PENDING, JobFileState.PROCESSING}

    @property
    def is_searchable(self) -> bool:
        """Whether the file was published, as far as it has text."""
        return self in {JobFileState.SUCCEEDED, JobFileState.PARTIAL, JobFileState.EMPTY}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFileStatus:
    """What became of one file."""

    file_id: str
    filename: str
    sent_as: str
    state: JobFileState
    stage: str
    percent: int
    """How much of it is done, 0 to 100."""
    pages: int
    chunks: int
    error: str
    attempts: int
    """Runs that tried this version."""
    size_bytes: int
    sha256: str
    unchanged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTotals:
    """The files of a job, counted."""

    files: int
    done: int
    """Files that nothing more happens to."""
    succeeded: int
    failed: int
    """Files that ended and cannot be searched."""
    percent: int
    pages: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What became of a job."""

    job_id: str
    user_id: str
    project_id: str
    state: str
    """`receiving`, `queued`, `processing`, `succeeded`, `partial` or `failed`."""
    created_s: float
    totals: JobTotals
    files: tuple[JobFileStatus, ...]
    metadata: dict[str, Any]

    @property
    def is_end(self) -> bool:
        """Whether every file came to its end."""
        return self.totals.done == self.totals.files


class Jobs:
    """The jobs of one database."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """Take the database, and the clock if it is another than this machine's."""
        self.database = database
        self.clock = clock

    def add(self, connection: Connection, job: Job, *, claimed_s: float) -> None:
        """Write a job, in the transaction of what belongs to it; other processes leave it alone for `claimed_s`."""
        row = row_of_job(job) | {"due_s": self.clock() + claimed_s}
        connection.execute(JOBS.insert().values(**row))

    def get(self, job_id: str) -> Job | None:
        """Return a job; None if there is none of this id."""
        with self.database.begin(writes=False) as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.job_id == job_id)).one_or_none()
        return None if row is None else job_of_row(row)

    def request_of(self, scope: Scope, file_id: str, *, version: str) -> str:
        """Return the id of the request that brought a version, if it is among the project's latest; otherwise ''."""
        owned = (JOBS.c.user_id == scope.user_id) & (JOBS.c.project_id == scope.project_id)
        latest = select(JOBS).where(owned).order_by(JOBS.c.created_s.desc()).limit(_LATEST)
        with self.database.begin(writes=False) as connection:
            jobs = [job_of_row(row) for row in connection.execute(latest)]
        found = (file for job in jobs for file in job.files if (file.file_id, file.version) == (file_id, version))
        return next((file.request_id for file in found), "")

    def claim_open(self, *, limit: int, claimed_s: float) -> list[Job]:
        """Return jobs with files that are not kept and that no process works on; they are this caller's for a while."""
        now = self.clock()
        due = select(JOBS).where(IS_OPEN, JOBS.c.due_s <= now).order_by(JOBS.c.due_s).limit(limit)
        with self.database.begin(writes=False) as connection:  # mostly there is none, and writers need not wait
            if connection.execute(due.with_only_columns(JOBS.c.job_id)).first() is None:
                return []
        with self.database.begin() as connection:
            found = [job_of_row(row) for row in connection.execute(due.with_for_update(skip_locked=True))]
            jobs = [replace(job, attempts=job.attempts + 1) for job in found]
            claimed = update(JOBS).where(JOBS.c.job_id.in_([job.job_id for job in jobs]))
            connection.execute(claimed.values(due_s=now + claimed_s, attempts=JOBS.c.attempts + 1))
        return jobs

    def note(self, connection: Connection, job: Job, *, again_in_s: float) -> None:
        """Write how far the keeping of a job is; what is not settled is tried again after a pause."""
        row = row_of_job(job)
        values = {name: row[name] for name in ("files", "is_kept")} | {"due_s": self.clock() + again_in_s}
        connection.execute(update(JOBS).where(JOBS.c.job_id == job.job_id).values(**values))

    def staged_names(self) -> set[str]:
        """Return the names of the uploads in the bucket that jobs wait for."""
        with self.database.begin(writes=False) as connection:
            jobs = [job_of_row(row) for row in connection.execute(select(JOBS).where(IS_OPEN))]
        return {file.staged for job in jobs for file in job.files if file.staged}

    def status(self, job: Job) -> JobStatus:
        """Say what became of a job, by the index and the ledger."""
        names = list(dict.fromkeys(file.file_id for file in job.files))
        known: dict[str, Row[Any]] = {}
        with self.database.begin(writes=False) as connection:
            for some in batches(names, _AT_ONCE):
                rows = connection.execute(select(FILES_TABLE).where(_KNOWN.file_id.in_(some)))
                known |= {row.file_id: row for row in rows}
            attempts = attempts_of(connection, names)
        files = tuple(
            _file_status(file, known.get(file.file_id), attempts.get((file.file_id, file.version), 0))
            for file in job.files
        )
        return JobStatus(
            job_id=job.job_id,
            user_id=job.user_id,
            project_id=job.project_id,
            state=_job_state(files),
            created_s=job.created_s,
            totals=_totals(files),
            files=files,
            metadata=job.metadata or {},
        )

    def erase(self, *, user_id: str, project_id: str = "") -> list[Job]:
        """Forget the jobs of a user, or those of one project, and return them: they may have uploads in the bucket."""
        owned = JOBS.c.user_id == user_id
        if project_id:
            owned &= JOBS.c.project_id == project_id
        with self.database.begin() as connection:
            jobs = [job_of_row(row) for row in connection.execute(select(JOBS).where(owned))]
            connection.execute(delete(JOBS).where(owned))
        return jobs

    def sweep(self, *, days: float) -> int:
        """Forget jobs that were kept more than so many days ago; return how many they were."""
        old = JOBS.c.created_s < self.clock() - days * _DAY_S
        with self.database.begin() as connection:
            return connection.execute(delete(JOBS).where(~IS_OPEN, old)).rowcount


def _file_status(file: JobFile, row: Row[Any] | None, attempts: int) -> JobFileStatus:
    state = _state(file, row)
    is_its_result = row is not None and row.ledger_version == file.version and state is not JobFileState.REPLACED
    is_on_its_way = row is not None and state is JobFileState.PROCESSING
    return JobFileStatus(
        file_id=file.file_id,
        filename=file.filename,
        sent_as=file.sent_as or file.filename,
        state=state,
        stage=row.stage if row is not None and is_on_its_way else "",
        percent=row.percent if row is not None and is_on_its_way else 100 if state.is_searchable else 0,
        pages=row.pages if row is not None and is_its_result else 0,
        chunks=row.chunks if row is not None and is_its_result else 0,
        error=file.error or (row.error if row is not None and is_its_result else ""),
        attempts=attempts,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        unchanged=file.is_unchanged,
    )


def _state(file: JobFile, row: Row[Any] | None) -> JobFileState:
    """Derive the state of a file from its row in the index."""
    if not file.is_settled:
        return JobFileState.RECEIVING
    if file.error:
        return JobFileState.REFUSED
    if row is None or row.missing_since is not None or not (row.bucket_version or row.in_ledger):
        return JobFileState.REMOVED
    if file.version not in {row.bucket_version, row.ledger_version}:
        return JobFileState.REPLACED
    if row.bucket_version not in {"", file.version}:
        return JobFileState.REPLACED
    if row.state == PassingState.PROCESSING:
        return JobFileState.PROCESSING
    if row.ledger_version != file.version:
        return JobFileState.PENDING
    if row.ledger_state == State.OUT_OF_MEMORY:  # a smaller attempt follows
        return JobFileState.PROCESSING
    return JobFileState(row.ledger_state)


def _job_state(files: Sequence[JobFileStatus]) -> str:
    states = {file.state for file in files}
    if JobFileState.RECEIVING in states:
        return "receiving"
    if all(state.is_end for state in states):
        good = [state.is_searchable for state in states]
        return "succeeded" if all(good) else "partial" if any(good) else "failed"
    is_begun = JobFileState.PROCESSING in states or any(state.is_end for state in states)
    return "processing" if is_begun else "queued"


def _totals(files: Sequence[JobFileStatus]) -> JobTotals:
    done = [file for file in files if file.state.is_end]
    succeeded = sum(file.state.is_searchable for file in done)
    worked = sum(100 if file.state.is_end else file.percent for file in files)
    return JobTotals(
        files=len(files),
        done=len(done),
        succeeded=succeeded,
        failed=len(done) - succeeded,
        percent=worked // len(files) if files else 100,
        pages=sum(file.pages for file in files),
        chunks=sum(file.chunks for file in files),
    )

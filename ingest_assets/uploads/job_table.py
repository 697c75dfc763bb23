"""Declare the table of jobs: what a request asked to keep, and how far the keeping is.

A job is one row. What becomes of its files afterwards is not written here: it follows from the index and the ledger.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, Float, Index, Row, Table, Text, false

from ingest_assets.index.database import BYTEWISE, METADATA

JOBS = Table(
    "ingest_jobs",
    METADATA,
    Column("job_id", BYTEWISE, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("callback", Text, nullable=False),
    Column("created_s", Float, nullable=False, index=True),
    Column("is_kept", Boolean, nullable=False),
    Column("attempts", Float, nullable=False),
    Column(
        "due_s", Float, nullable=False
    ),  # a process works on it until then, or it rests after a fault of the outside
)
"""Times are seconds since 1970."""
Index("ix_ingest_jobs_owner", JOBS.c.user_id, JOBS.c.project_id)
IS_OPEN = JOBS.c.is_kept == false()
Index("ix_ingest_jobs_open", JOBS.c.due_s, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """One file of a job."""

    filename: str
    """Its name below the project."""
    key: str
    file_id: str
    sent_as: str = ""
    """The name that the client gave, if it was renamed."""
    size_bytes: int = 0
    sha256: str = ""
    staged: str = ""
    """Name of the upload in the bucket, until it has its key."""
    source: str = ""
    """URL that it is copied from, until it has its key."""
    over: str = ""
    """Version that it replaces; empty: none."""
    replaces: bool = False
    """Whether a copy may replace whatever version is there when it has arrived."""
    version: str = ""
    """Version in the bucket, once it has its key."""
    is_unchanged: bool = False
    """The bucket had these bytes under this name already."""
    error: str = ""
    """Why it was not kept."""
    request_id: str = ""
    """The request that brought it."""

    @property
    def is_settled(self) -> bool:
        """Whether it has its key, or was refused."""
        return bool(self.version or self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one request asked to keep."""

    job_id: str
    user_id: str
    project_id: str
    files: tuple[JobFile, ...]
    metadata: dict[str, Any] | None = None
    """What the client said of the files; None: nothing."""
    callback: str = ""
    """Target of the outbox that hears of the files; empty: none."""
    created_s: float
    attempts: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether each file has its key, or was refused."""
        return all(file.is_settled for file in self.files)


def row_of_job(job: Job) -> dict[str, Any]:
    """Return the row of a job."""
    return {
        "job_id": job.job_id,
        "user_id": job.user_id,
        "project_id": job.project_id,
        "files": msgspec.json.encode(job.files).decode(),
        "details": json.dumps(job.metadata),
        "callback": job.callback,
        "created_s": job.created_s,
        "is_kept": job.is_kept,
        "attempts": job.attempts,
    }


def job_of_row(row: Row[Any]) -> Job:
    """Return the job of a row."""
    return Job(
        job_id=row.job_id,
        user_id=row.user_id,
        project_id=row.project_id,
        files=msgspec.json.decode(row.files, type=tuple[JobFile, ...]),
        metadata=json.loads(row.details),
        callback=row.callback,
        created_s=row.created_s,
        attempts=int(row.attempts),
    )

"""Define the answers about a job; they use the same words as its events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from ingest_assets.api.service import Service
from ingest_assets.ledger_records import utc_text
from ingest_assets.uploads.job_table import Job
from ingest_assets.uploads.jobs import JobFileStatus, JobStatus


class TakenFile(BaseModel):
    """A file of a job that was accepted."""

    file_id: str
    filename: str = Field(description="its name below the project")
    sent_as: str = Field(description="the name that the client gave")
    unchanged: bool = Field(description="bytes and metadata are those that the file has: nothing has to be done")


class JobAnswer(BaseModel):
    """The job was accepted; `status_url` says what becomes of it."""

    job_id: str
    state: str
    total_files: int
    files: list[TakenFile]
    status_url: str
    events_url: str

    @classmethod
    def of(cls, job: Job, service: Service) -> Self:
        """Return the answer to the request that made a job."""
        below = service.settings.root_path
        return cls(
            job_id=job.job_id,
            state="receiving" if any(file.source for file in job.files) else "queued",
            total_files=len(job.files),
            files=[
                TakenFile(
                    file_id=file.file_id,
                    filename=file.filename,
                    sent_as=file.sent_as or file.filename,
                    unchanged=file.is_unchanged,
                )
                for file in job.files
            ],
            status_url=f"{below}/upload/status?job_id={job.job_id}",
            events_url=f"{below}/upload/events?job_id={job.job_id}",
        )


class UploadedFile(BaseModel):
    """What became of one file of a job."""

    file_id: str
    filename: str
    sent_as: str
    state: str = Field(
        description="receiving, pending, processing, succeeded, partial, empty, failed, quarantined, cancelled, "
        "refused, replaced or removed"
    )
    stage: str = Field(description="asset that is being made, while processing")
    percent: int
    pages: int
    chunks: int
    error: str
    attempts: int = Field(description="runs that tried this version of the file")
    size_bytes: int
    sha256: str
    unchanged: bool


class UploadTotals(BaseModel):
    """The files of a job, counted."""

    files: int
    done: int
    succeeded: int
    failed: int
    percent: int
    pages: int
    chunks: int


class UploadStatus(BaseModel):
    """What became of a job."""

    job_id: str
    user_id: str
    project_id: str
    state: str = Field(description="receiving, queued, processing, succeeded, partial or failed")
    created_at: str = Field(description="UTC, ISO 8601")
    totals: UploadTotals
    files: list[UploadedFile]
    metadata: dict[str, Any] = Field(description="what the client said of the files")

    @classmethod
    def of(cls, status: JobStatus) -> Self:
        """Return the answer about a job."""
        return cls(
            job_id=status.job_id,
            user_id=status.user_id,
            project_id=status.project_id,
            state=status.state,
            created_at=utc_text(datetime.fromtimestamp(status.created_s, UTC)),
            totals=UploadTotals.model_validate(status.totals, from_attributes=True),
            files=[_uploaded(file) for file in status.files],
            metadata=status.metadata,
        )


def _uploaded(file: JobFileStatus) -> UploadedFile:
    return UploadedFile.model_validate(file, from_attributes=True)

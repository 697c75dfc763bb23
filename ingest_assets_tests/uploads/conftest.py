"""Give each test a folder as bucket, an index database, and what keeps uploads in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.index.database import Database
from ingest_assets.index.file_index import FileIndex
from ingest_assets.index.pending_files import PendingFiles
from ingest_assets.index.state_change import StateChange
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.records import BucketObject
from ingest_assets.uploads.form import UploadForm
from ingest_assets.uploads.job_table import Job
from ingest_assets.uploads.jobs import Jobs, JobStatus
from ingest_assets.uploads.keeping import Keeping
from ingest_assets.uploads.multipart_reader import BodyLimits
from ingest_assets.uploads.receiving import ReceivedFile, Receiving
from ingest_assets_tests.index.conftest import database, index_postgres

__all__ = ["database", "index_postgres"]

BOUNDARY = "multipart/form-data; boundary=XX"


@dataclass(slots=True)
class Uploads:
    """What a test does with uploads."""

    folder: Path
    database: Database
    bucket: FolderBucket = field(init=False)
    jobs: Jobs = field(init=False)
    index: FileIndex = field(init=False)
    keeping: Keeping = field(init=False)
    told: list[StateChange] = field(default_factory=list)
    now_s: float = 1_800_000_000.0
    sources: dict[str, bytes | Exception] = field(default_factory=dict)
    """What lies at the URLs that are copied."""
    read_again: list[tuple[str, str] | Exception] = field(default_factory=list)
    """The files that were asked to be read again, with their metadata; an exception in it is raised once."""

    def __post_init__(self) -> None:
        self.bucket = FolderBucket(self.folder)
        self.bucket.prepare()
        self.jobs = Jobs(self.database, clock=lambda: self.now_s)
        self.index = FileIndex(self.database, listeners=[self._hear])
        self.keeping = Keeping(
            jobs=self.jobs,
            bucket=self.bucket,
            outbox=Outbox(self.database),
            listeners=self.index.listeners,
            copy=self._copy,
            read_again=self._read_again,
        )

    def _hear(self, _: Connection, change: StateChange) -> None:
        self.told.append(change)

    def _copy(self, url: str, key: str) -> ReceivedFile:
        found = self.sources[url]
        if isinstance(found, Exception):
            raise found
        return self.receive({key.rsplit("/", 1)[-1]: found})[0]

    def _read_again(self, file_id: str, metadata: str) -> None:
        if self.read_again and isinstance(error := self.read_again[-1], Exception):
            self.read_again.clear()
            raise error
        self.read_again.append((file_id, metadata))

    def receive(self, files: dict[str, bytes]) -> list[ReceivedFile]:
        receiving = Receiving(self.bucket, BOUNDARY, limits=BodyLimits(max_files=15, max_file_bytes=1_000_000))
        for name, data in files.items():
            head = f'--XX\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
            receiving.feed(head.encode() + data + b"\r\n")
        receiving.feed(b"--XX--\r\n")
        receiving.finish()
        return receiving.files

    def begin(self, files: dict[str, bytes], *, callback: str = "", **fields: Any) -> Job:
        form = UploadForm(user_id="ann", project_id="p", **fields)
        planned = self.keeping.plan(form, self.receive(files))
        said = form.metadata
        return self.keeping.begin(planned, user_id="ann", project_id="p", callback=callback, metadata=said)

    def upload(self, files: dict[str, bytes], **fields: Any) -> Job:
        return self.keeping.finish(self.begin(files, **fields))

    def held(self) -> dict[str, bytes]:
        """Return what the bucket shows."""
        keys = [item.key for item in self.bucket.list() if isinstance(item, BucketObject)]
        return {key: (self.folder / key).read_bytes() for key in keys}

    def status(self, job: Job) -> JobStatus:
        """Say what became of a job, as it is written now."""
        found = self.jobs.get(job.job_id)
        assert found is not None
        return self.jobs.status(found)

    def staged(self) -> list[Path]:
        """Return the uploads that lie in the bucket unseen."""
        return sorted((self.folder / ".ingest-staging").glob("[!.]*"))

    def pending(self) -> list[str]:
        return [each.key for each in PendingFiles(self.database, retry_after_s=600).next(limit=100)]


@pytest.fixture
def uploads(database: Database, tmp_path: Path) -> Uploads:
    """Uploads with their jobs in a SQLite file, or on a real PostgreSQL."""
    return Uploads(tmp_path / "bucket", database)

"""Give received files their keys, all files of a job, also if the service is killed in between.

The row of the job is the moment that decides. Before it nothing has a key, and what was received is swept. With it
every file will get its key: by this process, or by the next one that looks for jobs that are not finished. Each step
can be repeated (`StagedObject.publish`), so two processes that finish the same job do no harm.

A file that has its key is told to the index at once, as whole: unlike a file that somebody copies into a folder it need
not rest before a run may read it. What the request says of its files is written before that, so that their runs find
it. Where a run has read the version already, as of bytes that are sent again with other metadata, the file is read
again: each stage keeps its result, and the chunks are published anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select

from ingest_assets.buckets.contract import Bucket, NameTaken, changed
from ingest_assets.buckets.versions import has_bytes
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import file_id_of, owner_of
from ingest_assets.index.bucket_looks import BucketLooks
from ingest_assets.index.database import Database
from ingest_assets.index.file_details import FileDetails
from ingest_assets.index.file_table import FILES_TABLE, Listener, tell
from ingest_assets.index.reservations import give_back
from ingest_assets.index.state_change import FILE_STATES, PassingState, StateChange
from ingest_assets.ledger_records import State, utc_text
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.progress import STATE_EVENT, message_of
from ingest_assets.records import BucketObject
from ingest_assets.stages.client_metadata import metadata_text
from ingest_assets.uploads.form import UploadForm, may_replace, names_in_bucket
from ingest_assets.uploads.job_table import Job, JobFile
from ingest_assets.uploads.jobs import Jobs
from ingest_assets.uploads.receiving import ReceivedFile

_BEGUN_S = 30.0
"""How long other processes leave a new job to the one that wrote it, which finishes it at once."""
_CLAIMED_S = 120.0
"""How long they leave a job alone that another has taken up; a copy may take a while."""
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 600.0
_GIVEN_UP_AFTER_S = 86_400.0
_AT_ONCE = 10
_ON_ITS_WAY = {PassingState.PENDING, PassingState.PROCESSING}

Copy = Callable[[str, str], ReceivedFile]
"""Copies what lies at a URL into the bucket, unseen; the second argument is the key that messages name."""
ReadAgain = Callable[[str, str], None]
"""Has a file of this id read again, unless what is published carries this metadata."""
Also = Callable[[Connection, Job], None]
"""Writes more in the transaction that decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What finishes jobs, for one bucket and one database."""

    jobs: Jobs
    bucket: Bucket
    outbox: Outbox
    listeners: Sequence[Listener]
    """Told of each change of a file's state (`FileIndex.listeners`)."""
    copy: Copy
    read_again: ReadAgain

    @property
    def _database(self) -> Database:
        return self.jobs.database

    def plan(self, form: UploadForm, received: Sequence[ReceivedFile]) -> tuple[JobFile, ...]:
        """Say which key each file gets and what it replaces; nothing is changed.

        Raises:
            BadInput: the names do not fit together.
            NameTaken: naming every file that has a name of another one and may not replace it.
            OutsideError: the bucket is away.
        """
        keys = names_in_bucket(form, [file.sent_as for file in received])
        planned, blocked = [], []
        for file, key in zip(received, keys, strict=True):
            found = self.bucket.stat(key)
            wanted = _job_file(key, file)
            if found is None:
                planned.append(wanted)
            elif self._has_these_bytes(found, wanted):
                planned.append(self.there(wanted, version=found.version, metadata=form.metadata))
            elif may_replace(form, sent_as=file.sent_as, key=key):
                planned.append(replace(wanted, over=found.version))
            else:
                blocked.append(owner_of(key)[2])
        if blocked:
            raise NameTaken(
                f"{', '.join(blocked)}: the project has another file of this name; name it in `replace_filenames`, or "
                "give the new one another name in `rename_map`"
            )
        return tuple(planned)

    def begin(
        self,
        files: Sequence[JobFile],
        *,
        user_id: str,
        project_id: str,
        metadata: Mapping[str, Any] | None = None,
        callback: str = "",
        request_id: str = "",
        job_id: str = "",
        also: Also | None = None,
    ) -> Job:
        """Write the job of these files, which a request brought. From here on all of them will be kept.

        Raises:
            OutsideError: the database is away; nothing was written then.
        """
        job = Job(
            job_id=job_id or secrets.token_hex(16),
            user_id=user_id,
            project_id=project_id,
            files=tuple(replace(file, request_id=request_id) for file in files),
            metadata=None if metadata is None else dict(metadata),
            callback=callback,
            created_s=self.jobs.clock(),
        )
        with self._database.begin() as connection:
            if also is not None:
                also(connection, job)
            self.jobs.add(connection, job, claimed_s=0.0 if any(file.source for file in files) else _BEGUN_S)
            for file in job.files if callback else ():
                self.outbox.add_callback(connection, file.file_id, target=callback)
                if file.is_settled:
                    self._tell_result(connection, file, target=callback)
        return job

    def finish(self, job: Job) -> Job:
        """Give each file of a job its key, as far as that can be done now, and note how far it came."""
        files: list[JobFile] = []
        found: dict[str, BucketObject | None] = {}
        pause_s = 0.0
        for file in job.files:
            try:
                kept, published = (file, None) if file.is_settled else self._keep(job, file)
                if published is not None:
                    found[published.key] = published
            except OutsideError as error:
                if self.jobs.clock() - job.created_s > _GIVEN_UP_AFTER_S:
                    kept = replace(file, error=f"{error} It was tried for a day")
                else:
                    kept, pause_s = file, _pause_s(job.attempts)
            files.append(kept)
        files, again_s = self._describe(job, files)
        pause_s, finished = max(pause_s, again_s), replace(job, files=tuple(files))
        if found:
            BucketLooks(self._database, settle_s=0, listeners=self.listeners).keys(found, may_miss=False)
        with self._database.begin() as connection:
            self.jobs.note(connection, finished, again_in_s=pause_s)
            if finished.is_kept:  # its files are counted by the index now
                give_back(connection, job.job_id)
            for before, after in zip(job.files, finished.files, strict=True):
                if job.callback and after.error and not before.error:
                    self._tell_refused(connection, job, after)
        return finished

    def finish_open(self) -> int:
        """Finish jobs that another process left, or that wait for their turn; return how many were looked at."""
        jobs = self.jobs.claim_open(limit=_AT_ONCE, claimed_s=_CLAIMED_S)
        for job in jobs:
            self.finish(job)
        return len(jobs)

    def _keep(self, job: Job, file: JobFile) -> tuple[JobFile, BucketObject | None]:
        """Give one file its key; a refusal is noted in the file."""
        try:
            if not file.staged and file.over and not file.source:
                return self._there_still(file), None
            if not file.staged:
                file = self._copied(job, file)
            if file.is_settled:
                return file, None
            published = self.bucket.staged(file.staged).publish(file.key, over=file.over)
        except BadInput as error:
            if file.staged:
                self.bucket.staged(file.staged).discard()
            return replace(file, staged="", error=str(error)), None
        return replace(file, staged="", version=published.version), published

    def _copied(self, job: Job, file: JobFile) -> JobFile:
        """Copy a file into the bucket, unseen, and note under which name it lies there."""
        received = self.copy(file.source, file.key)
        copied = replace(
            _job_file(file.key, received),
            sent_as=file.sent_as,
            source=file.source,
            replaces=file.replaces,
            request_id=file.request_id,
        )
        found = self.bucket.stat(file.key)
        if found is not None and self._has_these_bytes(found, copied):
            received.staged.discard()
            same = self.there(copied, version=found.version, metadata=job.metadata)
            return replace(same, version=found.version)
        if found is not None and file.replaces:
            copied = replace(copied, over=found.version)
        files = tuple(copied if each is file else each for each in job.files)
        with self._database.begin() as connection:
            self.jobs.note(connection, replace(job, files=files), again_in_s=_CLAIMED_S)
        return copied

    def there(self, file: JobFile, *, version: str, metadata: Mapping[str, Any] | None) -> JobFile:
        """Return a file whose bytes the bucket has under its key: unchanged, or to be told of with new metadata."""
        is_new = metadata is not None and metadata_text(metadata) != FileDetails(self._database).of(file.file_id)
        if is_new:
            return replace(file, staged="", over=version)
        return replace(file, staged="", version=version, is_unchanged=True)

    def _there_still(self, file: JobFile) -> JobFile:
        """Settle a file whose bytes were in the bucket and whose metadata is new.

        Raises:
            BadInput: the bytes are no longer there.
        """
        found = self.bucket.stat(file.key)
        if found is None or found.version != file.over:
            raise BadInput(changed(file.key))
        return replace(file, version=found.version)

    def _describe(self, job: Job, files: Sequence[JobFile]) -> tuple[list[JobFile], float]:
        """Write what the request says of the files that have their keys now, and have those read again that were read.

        Where that cannot be done now, the file counts as not settled, and is tried again after the pause in seconds.
        """
        if job.metadata is None:
            return list(files), 0.0
        described, pause_s, metadata = list[JobFile](), 0.0, metadata_text(job.metadata)
        for before, after in zip(job.files, files, strict=True):
            described.append(after)
            if before.is_settled or not after.version or after.is_unchanged:
                continue
            try:
                FileDetails(self._database).note([after.file_id], metadata)
                if self._attempted(after.file_id, after.version) is not None:
                    self.read_again(after.file_id, metadata)
            except OutsideError:  # all that was done can be repeated
                described[-1], pause_s = before, _pause_s(job.attempts)
        return described, pause_s

    def is_done(self, file_id: str, found: BucketObject) -> bool:
        """Tell whether a version in the bucket was read already, and the attempt did not fail."""
        attempted = self._attempted(file_id, found.version)
        return attempted is not None and not State(attempted.ledger_state).is_failure

    def has_failed(self, file: JobFile) -> bool:
        """Tell whether the attempt at the version of a file failed, and nothing tries it again by itself."""
        attempted = self._attempted(file.file_id, file.version)
        state = State(attempted.ledger_state) if attempted is not None else State.SUCCEEDED
        return state.is_failure and state is not State.OUT_OF_MEMORY

    def _attempted(self, file_id: str, version: str) -> Row[Any] | None:
        row = FILES_TABLE.c
        known = select(row.sha256, row.ledger_state).where(
            row.file_id == file_id, row.in_ledger, row.ledger_version == version
        )
        with self._database.begin(writes=False) as connection:
            return connection.execute(known).one_or_none()

    def _has_these_bytes(self, found: BucketObject, file: JobFile) -> bool:
        """Tell whether the bucket has these bytes already, and the last attempt at them did not fail."""
        if found.size_bytes != file.size_bytes:
            return False
        attempted = self._attempted(file.file_id, found.version)
        if attempted is not None and State(attempted.ledger_state).is_failure:
            return False
        if attempted is not None and attempted.sha256:
            return bool(attempted.sha256 == file.sha256)
        return has_bytes(self.bucket, found, size_bytes=file.size_bytes, sha256=lambda: file.sha256)

    def _tell_result(self, connection: Connection, file: JobFile, *, target: str) -> None:
        """Tell a target how a file is that nothing will be told of, because nothing about it changes."""
        row = connection.execute(select(FILES_TABLE).where(FILES_TABLE.c.file_id == file.file_id)).one_or_none()
        if row is not None and row.ledger_version == file.version and row.state not in _ON_ITS_WAY:
            tell([self._putting(target)], connection, row, FILE_STATES[row.state])

    def _tell_refused(self, connection: Connection, job: Job, file: JobFile) -> None:
        change = StateChange(
            file_id=file.file_id,
            user_id=job.user_id,
            project_id=job.project_id,
            filename=file.filename,
            key=file.key,
            state=State.FAILED,
            error=file.error,
            at=utc_text(),
        )
        self._putting(job.callback)(connection, change)

    def _putting(self, target: str) -> Listener:
        def put(connection: Connection, change: StateChange) -> None:
            self.outbox.put(connection, message_of(change, event=STATE_EVENT), targets=[target])

        return put


def _job_file(key: str, file: ReceivedFile) -> JobFile:
    filename = owner_of(key)[2]
    return JobFile(
        filename=filename,
        key=key,
        file_id=file_id_of(key),
        sent_as="" if file.sent_as == filename else file.sent_as,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        staged=file.staged.name,
    )


def _pause_s(attempts: int) -> float:
    return float(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(attempts, 20)))

"""Take the body of an upload: into the bucket piece by piece, then as a job, or refuse it and leave nothing.

What is known early refuses early: too long a queue before the body is read, a foreign owner with the field that names
it, too large a file at the byte that is one too many.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from fastapi import Request
from sqlalchemy import Connection

from ingest_assets.access.callers import Caller
from ingest_assets.access.quotas import Use
from ingest_assets.api.incoming.job_answers import JobAnswer
from ingest_assets.api.service import Service
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.ledger_records import Scope
from ingest_assets.uploads.form import UploadForm, names_in_bucket
from ingest_assets.uploads.idempotency import AlreadyAnswered, FirstAnswer, RequestKey, request_key
from ingest_assets.uploads.job_table import Job, JobFile
from ingest_assets.uploads.multipart_reader import BodyLimits
from ingest_assets.uploads.names import plain_owner
from ingest_assets.uploads.receiving import Receiving

_MB = 1_000_000
ROUTE = "POST /upload"
_log = logging.getLogger(__name__)


class Intake:
    """One upload. Its methods block, so each runs in a thread."""

    def __init__(
        self, service: Service, caller: Caller, request: Request, *, content_type: str, idempotency_key: str | None
    ) -> None:
        """Take the headers of the request.

        Raises:
            ApiProblem: too many files wait.
            BadInput: the body is no form with files.
        """
        self._service, self._caller, self._idempotency_key = service, caller, idempotency_key
        self._request = request
        settings = service.settings
        service.quotas.require_room(caller.only_user)
        self._receiving = Receiving(
            service.keeping.bucket,
            content_type,
            limits=BodyLimits(max_files=settings.max_files_per_upload, max_file_bytes=settings.max_file_mb * _MB),
        )
        self._fields_checked, self._has_room, self._is_undecided = 0, False, True

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._receiving.feed(data)
        if len(self._receiving.fields) != self._fields_checked:
            self._fields_checked = len(self._receiving.fields)
            self._check_owner()

    def _check_owner(self) -> None:
        """Refuse an owner as soon as it is known, before more of the body is read."""
        named = dict(self._receiving.fields)
        if user_id := named.get("user_id"):
            self._caller.user(user_id)
            if project_id := named.get("project_id"):
                self._service.quotas.require(self._caller.scope(user_id, project_id))
            if not self._has_room:
                self._service.quotas.require_room(nfc(user_id))
                self._has_room = True

    def finish(self) -> FirstAnswer:
        """Keep what has arrived, all of it, and return the answer; the files get their keys here.

        Raises:
            ApiProblem: it is more than the owner may hold; nothing is kept.
            BadInput: the body or its names are not what they should be; nothing is kept.
            OutsideError: the bucket or the database is away; nothing is kept.
            AlreadyAnswered: the request was carried out before.
        """
        form = self._form()
        key = self._request_key(form)
        if key is not None:
            self._service.requests.require_first(key)
        files = self._service.keeping.plan(form, self._receiving.files)
        new = [file for file in files if not file.is_unchanged]
        size_bytes = sum(file.size_bytes for file in new if file.staged)  # the bucket has the bytes of the others
        with self._service.quotas.reserved(
            Scope(form.user_id, form.project_id),
            Use(files=sum(not file.over for file in new), size_bytes=size_bytes),
            queued=len(new),
            by_job=True,
        ) as job_id:
            return self._kept(form, files, key, job_id=job_id)

    def _kept(self, form: UploadForm, files: Sequence[JobFile], key: RequestKey | None, *, job_id: str) -> FirstAnswer:
        """Write the job, drop what the bucket has already, and give the other files their keys."""
        job, answer = self._written(form, files, key, job_id=job_id)
        self._discard_unchanged(job)
        self._finish(job)
        return answer

    def _written(
        self, form: UploadForm, files: Sequence[JobFile], key: RequestKey | None, *, job_id: str
    ) -> tuple[Job, FirstAnswer]:
        """Write the job, and the answer to its request in the same transaction."""
        answers: list[FirstAnswer] = []

        def answer(connection: Connection, job: Job) -> None:
            answers.append(FirstAnswer(202, JobAnswer.of(job, self._service).model_dump_json()))
            if key is not None:
                self._service.requests.answer_first(connection, key, answers[0])

        self._is_undecided = False  # if the database breaks off, it is unknown whether the job is written: a sweep sees
        try:
            job = self._service.keeping.begin(
                files,
                user_id=form.user_id,
                project_id=form.project_id,
                metadata=form.metadata,
                request_id=self._request.state.request_id,
                job_id=job_id,
                also=answer,
            )
        except (AlreadyAnswered, BadInput):
            self._is_undecided = True
            raise
        self._request.state.job_id = job.job_id  # for the line of the log
        return job, answers[0]

    def _finish(self, job: Job) -> None:
        try:
            self._service.keeping.finish(job)
        except OutsideError as error:  # the job is written: it is finished later
            _log.warning("job %s is finished later: %s", job.job_id, error)

    def discard(self) -> None:
        """Remove what has arrived, unless a job may have been written that needs it."""
        if self._is_undecided:
            self._receiving.discard()

    def _form(self) -> UploadForm:
        form = self._receiving.finish()
        scope = plain_owner(self._caller.scope(form.user_id, form.project_id))
        return replace(form, user_id=scope.user_id, project_id=scope.project_id)

    def _request_key(self, form: UploadForm) -> RequestKey | None:
        if self._idempotency_key is None:
            return None
        files = self._receiving.files
        keys = names_in_bucket(form, [file.sent_as for file in files])
        asked = [[key, file.sha256] for key, file in zip(keys, files, strict=True)], sorted(form.replace)
        digest = hashlib.sha256(json.dumps([asked, form.metadata]).encode()).hexdigest()
        return request_key(self._idempotency_key, caller=self._caller.key_id, route=ROUTE, digest=digest)

    def _discard_unchanged(self, job: Job) -> None:
        needed = {file.staged for file in job.files}
        for received in self._receiving.files:
            if received.staged.name not in needed:
                with suppress(OutsideError):  # it is swept
                    received.staged.discard()

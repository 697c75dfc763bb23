"""Take a location instead of bytes: the key of a file in the bucket, or an object that is copied into it.

The service that this one replaces answered when the file had been read, and reported its progress by requests of its
own. Here the answer comes at once, and the callback hears of each change through the outbox (docs/progress.md).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from ingest_assets.access.callers import Caller
from ingest_assets.access.quotas import Use
from ingest_assets.actions.files_by_name import FileIsBusy, ask_again
from ingest_assets.api.callers import ServiceDep, WriterDep
from ingest_assets.api.idempotency import REPLAYED, json_answer
from ingest_assets.api.incoming.job_answers import JobAnswer
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.service import Service
from ingest_assets.buckets.contract import NameTaken, require_listed
from ingest_assets.file_ids import file_id_of, key_for, owner_of
from ingest_assets.ledger_records import Scope
from ingest_assets.messaging.webhooks import callback_target
from ingest_assets.stages.client_metadata import MAX_FILE_METADATA_CHARS, metadata_fault
from ingest_assets.uploads.idempotency import AlreadyAnswered, FirstAnswer, RequestKey, request_key
from ingest_assets.uploads.job_table import Job, JobFile
from ingest_assets.uploads.locations import Location, read_location
from ingest_assets.uploads.names import plain_name, plain_owner

router = APIRouter(tags=["uploads"])
_ROUTE = "POST /ingest-file"


def _kept_by_stores(metadata: dict[str, Any]) -> dict[str, Any]:
    if fault := metadata_fault(metadata, max_chars=MAX_FILE_METADATA_CHARS):
        raise ValueError(fault)
    return metadata


class IngestFile(BaseModel):
    """A file to ingest, by where it lies."""

    model_config = ConfigDict(extra="forbid")

    location: str = Field(
        min_length=1, max_length=2000, description="a key of the bucket, or s3://BUCKET/NAME or gs://BUCKET/NAME"
    )
    user_id: str = Field(default="", max_length=255, description="whose it is, for an object outside of the bucket")
    project_id: str = Field(default="", max_length=255)
    filename: str = Field(default="", max_length=255, description="its name in the bucket; by default the object's")
    callback: str = Field(default="", max_length=2000, description="http(s):// URL that is told of each change")
    replace: bool = Field(default=True, description="whether a copy may replace another file of its name")
    metadata: Annotated[dict[str, Any], AfterValidator(_kept_by_stores)] | None = Field(
        default=None, description="what the file's chunks carry; null: what was said before stays"
    )


@router.post(
    "/ingest-file",
    status_code=202,
    summary="Ingest a file by its location",
    response_model=JobAnswer,
    responses=documented(404, 409, 422),
)
def ingest_file(
    request: Request,
    service: ServiceDep,
    caller: WriterDep,
    wanted: IngestFile,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Answer at once; a file outside of the bucket is copied into it afterwards."""
    digest = hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()
    key = None
    if idempotency_key is not None:
        key = request_key(idempotency_key, caller=caller.key_id, route=_ROUTE, digest=digest)
    try:
        if key is not None:
            service.requests.require_first(key)
        return json_answer(_begin(service, caller, wanted, key, request=request))
    except AlreadyAnswered as error:
        return json_answer(error.answer, REPLAYED)


def _begin(
    service: Service, caller: Caller, wanted: IngestFile, key: RequestKey | None, *, request: Request
) -> FirstAnswer:
    """Write the job."""
    location = read_location(wanted.location, settings=service.settings)
    target = callback_target(wanted.callback, settings=service.settings) if wanted.callback else ""
    find = _outside if location.url else _inside
    scope, file = find(service, caller, wanted, location)
    answers: list[FirstAnswer] = []

    def also(connection: Connection, job: Job) -> None:
        answers.append(FirstAnswer(202, JobAnswer.of(job, service).model_dump_json()))
        if key is not None:
            service.requests.answer_first(connection, key, answers[0])

    is_copied = bool(location.url)
    with service.quotas.reserved(scope, Use(files=int(is_copied)), queued=1, by_job=is_copied) as job_id:
        if not is_copied:  # if this process dies before it looks, another one does
            service.project.inbox.put([file.key], why="request")
        job = service.keeping.begin(
            [file],
            user_id=scope.user_id,
            project_id=scope.project_id,
            metadata=wanted.metadata,
            callback=target,
            request_id=request.state.request_id,
            job_id=job_id,
            also=also,
        )
        request.state.job_id = job_id  # for the line of the log
        if is_copied:
            service.open_jobs.wake.set()
        else:  # behind the job, so that the callback hears that the file is queued
            service.project.looks.keys({file.key: service.keeping.bucket.stat(file.key)}, may_miss=False)
            if not file.is_settled:  # its metadata is new
                (file,) = service.keeping.finish(job).files
            if not file.is_unchanged and file.is_settled:
                _have_it_tried_again(service, file)
    return answers[0]


def _have_it_tried_again(service: Service, file: JobFile) -> None:
    """Have a version whose attempt failed attempted again; a new version waits for its run already."""
    if service.keeping.has_failed(file):
        with suppress(FileIsBusy):  # a run reads it now
            ask_again(service.project, file.file_id, afresh=False)


def _inside(service: Service, caller: Caller, wanted: IngestFile, location: Location) -> tuple[Scope, JobFile]:
    """Look at a file of the bucket now, so that its run need not wait for the next listing."""
    file_id = file_id_of(location.key)
    require_listed(location.key)
    user_id, project_id, filename = owner_of(location.key)
    for name, given, found in (("user_id", wanted.user_id, user_id), ("project_id", wanted.project_id, project_id)):
        if given and given != found:
            raise ApiProblem(400, "bad_input", f"{name}: the key of the file names another one; leave it out")
    scope = caller.scope(user_id, project_id)
    found_object = service.keeping.bucket.stat(location.key)
    if found_object is None:
        raise ApiProblem(404, "no_such_object", "location: the bucket has no such file; upload it first")
    service.quotas.require_room(scope.user_id)
    service.quotas.require(scope)
    file = JobFile(
        filename=filename,
        key=location.key,
        file_id=file_id,
        size_bytes=found_object.size_bytes,
    )
    file = service.keeping.there(file, version=found_object.version, metadata=wanted.metadata)
    return scope, replace(file, is_unchanged=file.is_settled and service.keeping.is_done(file_id, found_object))


def _outside(service: Service, caller: Caller, wanted: IngestFile, location: Location) -> tuple[Scope, JobFile]:
    """Say which file of the bucket an object outside of it becomes."""
    scope = plain_owner(caller.scope(wanted.user_id, wanted.project_id))
    service.quotas.require_room(scope.user_id)
    key = key_for(scope.user_id, scope.project_id, plain_name(wanted.filename or location.name))
    require_listed(key)
    if not wanted.replace and service.keeping.bucket.stat(key) is not None:
        raise NameTaken(f"{owner_of(key)[2]}: the project has a file of this name; give another `filename`")
    file = JobFile(filename=owner_of(key)[2], key=key, file_id=file_id_of(key), source=location.url)
    return scope, replace(file, sent_as=location.name, replaces=wanted.replace)

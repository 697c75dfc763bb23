"""Take uploads, and say what becomes of them: once, or as events while it happens."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from anyio import CancelScope, to_thread
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.requests import ClientDisconnect

from ingest_assets.access.callers import Caller
from ingest_assets.api.callers import ReaderDep, ServiceDep, WriterDep
from ingest_assets.api.idempotency import REPLAYED, json_answer
from ingest_assets.api.incoming.intake import Intake
from ingest_assets.api.incoming.job_answers import JobAnswer, UploadStatus
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.service import Service
from ingest_assets.uploads.idempotency import AlreadyAnswered
from ingest_assets.uploads.job_table import Job

router = APIRouter(tags=["uploads"])

_PIECE_BYTES = 65_536
"""What is handed on to the bucket at once: a thread is asked for each piece."""
_DRAINED_BYTES = 64_000_000
_DRAINED_S = 10.0
"""A client that sends on after a refusal is listened to for so long: closing at once would destroy the answer."""
_LOOK_EVERY_S = 0.5
_PING_EVERY_S = 15.0
_LONGEST_S = 600.0
"""Then a stream ends, and the client asks again with its key, which may have been revoked."""
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "user_id": {"type": "string"},
                        "project_id": {"type": "string"},
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "folder": {"type": "string", "description": "folder below the project that the files go into"},
                        "replace_filenames": {"type": "string", "description": "JSON list of names to replace"},
                        "rename_map": {"type": "string", "description": "JSON object: new names by those sent"},
                        "metadata": {"type": "string", "description": "JSON object that the files' chunks carry"},
                    },
                }
            }
        },
    }
}
JobId = Annotated[str, Query(min_length=1, max_length=64)]


@router.post(
    "/upload",
    status_code=202,
    summary="Upload files, all or none of them",
    response_model=JobAnswer,
    responses=documented(409, 413, 415, 422),
    openapi_extra=_FORM,
)
async def upload(
    request: Request,
    service: ServiceDep,
    caller: WriterDep,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Take a form with the files in `files`; each file that arrived whole is ingested when its turn comes."""
    intake: Intake | None = None
    try:
        content_type = request.headers.get("content-type", "")
        with service.upload_slots.taken():
            intake = await to_thread.run_sync(
                lambda: Intake(service, caller, request, content_type=content_type, idempotency_key=idempotency_key)
            )
            async for piece in _pieces(request):
                await to_thread.run_sync(intake.feed, piece)
            answer = await to_thread.run_sync(intake.finish)
    except BaseException as error:
        with CancelScope(shield=True):
            if intake is not None:
                await to_thread.run_sync(intake.discard)
            if isinstance(error, AlreadyAnswered):
                return json_answer(error.answer, REPLAYED)
            if isinstance(error, Exception) and not isinstance(error, ClientDisconnect):
                await _drain(request)
        raise
    return json_answer(answer)


@router.get("/upload/status", summary="What became of an upload", responses=documented(404))
def upload_status(service: ServiceDep, caller: ReaderDep, job_id: JobId) -> UploadStatus:
    """Say where each file of a job is, and how the job ended."""
    return _status(service, _job(service, caller, job_id))


@router.get(
    "/upload/events",
    summary="What becomes of an upload, while it happens",
    response_class=Response,
    responses=documented(404)
    | {
        200: {"description": "events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "the job has ended, and the client has heard of it"},
    },
)
async def upload_events(
    service: ServiceDep, caller: ReaderDep, job_id: JobId, last_event_id: Annotated[str, Header()] = ""
) -> Response:
    """Send an event `status` for each change, with the body of `/upload/status`, and `done` at the end.

    A client that comes back with `Last-Event-ID` does not hear again what it has heard.
    """
    job = await to_thread.run_sync(_job, service, caller, job_id)
    status = await to_thread.run_sync(_status, service, job)
    if _is_end(status) and last_event_id == _event_id(status):
        return Response(status_code=204)  # tells an EventSource not to come back
    return EventSourceResponse(
        _events(service, job, heard=last_event_id), headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )


async def _events(service: Service, job: Job, *, heard: str) -> AsyncIterator[bytes]:
    began = sent_at = time.monotonic()
    while time.monotonic() - began < _LONGEST_S and not service.is_ending.is_set():
        found = await to_thread.run_sync(_job_again, service, job)
        status = await to_thread.run_sync(_status, service, found)
        if (event_id := _event_id(status)) != heard:
            name = "done" if _is_end(status) else "status"
            yield format_sse_event(data_str=status.model_dump_json(), event=name, id=event_id)
            heard, sent_at = event_id, time.monotonic()
        elif time.monotonic() - sent_at > _PING_EVERY_S:
            yield KEEPALIVE_COMMENT
            sent_at = time.monotonic()
        if _is_end(status):
            return
        await anyio.sleep(_LOOK_EVERY_S)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces that are worth a thread."""
    waiting = bytearray()
    async for data in request.stream():
        waiting += data
        if len(waiting) >= _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _drain(request: Request) -> None:
    """Read on for a while what the client is sending, and forget it."""
    read_bytes = 0
    with anyio.move_on_after(_DRAINED_S):
        try:
            async for data in request.stream():
                read_bytes += len(data)
                if read_bytes > _DRAINED_BYTES:
                    return
        except (ClientDisconnect, RuntimeError, ApiProblem):  # gone, or read to its end already
            return


def _job(service: Service, caller: Caller, job_id: str) -> Job:
    """Find a job that the caller may see.

    Raises:
        ApiProblem: there is none; a foreign one is not told apart.
    """
    job = service.keeping.jobs.get(job_id)
    if job is None or not caller.may(job.user_id, job.project_id):
        raise ApiProblem(404, "unknown_job", "there is no such upload; jobs are kept for INGEST_KEEP_DAYS days")
    return job


def _job_again(service: Service, job: Job) -> Job:
    return service.keeping.jobs.get(job.job_id) or job


def _status(service: Service, job: Job) -> UploadStatus:
    return UploadStatus.of(service.keeping.jobs.status(job))


def _is_end(status: UploadStatus) -> bool:
    return status.totals.done == status.totals.files


def _event_id(status: UploadStatus) -> str:
    return hashlib.sha256(status.model_dump_json().encode()).hexdigest()[:16]

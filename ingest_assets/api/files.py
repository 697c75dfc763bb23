"""List a project's files, show what was read of one, remove it, or have it read again."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from ingest_assets.access.callers import Caller
from ingest_assets.api.callers import ReaderDep, ServiceDep, WriterDep
from ingest_assets.api.file_answers import ChunkList, FileChunk, FileEntry, FileList, FileRerun, RemovedFile
from ingest_assets.api.idempotency import IdempotentRoute
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.scoping import MAX_NAME, OwnerName, possible, scope_of
from ingest_assets.api.service import Service
from ingest_assets.documents import Form, exported
from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import client_file_id, file_id_of, key_for, key_of
from ingest_assets.files_by_name import FileIsBusy, ask_again, remove
from ingest_assets.index.scope_files import ScopeFiles
from ingest_assets.ledger_records import FileRecord, Origin, Scope

_TYPES = {Form.MARKDOWN: "text/markdown; charset=utf-8", Form.JSON: "application/json"}
_ENDINGS = {Form.MARKDOWN: "md", Form.JSON: "json"}
_MAX_FILENAME = 1024
"""Bytes of a key on S3 and GCS, so a longer name is none."""
_MAX_OFFSET = 10_000_000
_Filename = Annotated[str, Query(min_length=1, max_length=_MAX_FILENAME, description="its name below the project")]
_OriginOption = Annotated[
    Literal["bucket", "client"] | None,
    Query(description="of two of one name: the file of the bucket, or the document of chunks that were handed in"),
]
_Offset = Annotated[int, Query(ge=0, le=_MAX_OFFSET)]
router = APIRouter(tags=["files"], responses=documented(), route_class=IdempotentRoute)


@router.get("/files", summary="The files of a project")
def files(
    service: ServiceDep,
    caller: ReaderDep,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: _Offset = 0,
) -> FileList:
    """List files page by page: first those that no run has tried yet, then those of the ledger, each by file_id."""
    scope = scope_of(caller, user_id=user_id, project_id=project_id)
    project, by_scope = service.project, ScopeFiles(service.project.database)
    new = [FileEntry.of_new(each) for each in by_scope.new(scope, limit=limit + 1, offset=offset)]
    wanted, found = limit + 1 - len(new), new
    if wanted:
        before = by_scope.count_new(scope)
        records = project.store.files(scope, limit=wanted, offset=max(0, offset - before))
        underway = by_scope.underway([record.file_id for record in records])
        found = new + [FileEntry.of_record(record, underway.get(record.file_id)) for record in records]
    return FileList(files=found[:limit], next_offset=offset + limit if len(found) > limit else None)


@router.get("/files/chunks", summary="The chunks of a file", responses=documented(404))
def file_chunks(
    service: ServiceDep,
    caller: ReaderDep,
    filename: _Filename,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    origin: _OriginOption = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    offset: _Offset = 0,
) -> ChunkList:
    """List the chunks in force, in document order."""
    record = _record(service, caller, user_id=user_id, project_id=project_id, filename=filename, origin=origin)
    found = service.project.store.chunks(record.file_id, limit=limit + 1, offset=offset)
    underway = ScopeFiles(service.project.database).underway([record.file_id])
    return ChunkList(
        file=FileEntry.of_record(record, underway.get(record.file_id)),
        chunks=[FileChunk.of(chunk) for chunk in found[:limit]],
        next_offset=offset + limit if len(found) > limit else None,
    )


@router.get(
    "/files/content",
    summary="A document as it was read",
    response_class=StreamingResponse,
    responses=documented(404)
    | {200: {"description": "the document", "content": {"text/markdown": {}, "application/json": {}}}},
)
def file_content(
    service: ServiceDep,
    caller: ReaderDep,
    filename: _Filename,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    origin: _OriginOption = None,
    format: Annotated[Form, Query(description="markdown, or json with every element")] = Form.MARKDOWN,
) -> StreamingResponse:
    """Send what was read, with tables, and captions where pictures stand; of chunks that were handed in, the chunks."""
    record = _record(service, caller, user_id=user_id, project_id=project_id, filename=filename, origin=origin)
    try:
        pieces = exported(service.project, record, form=format)
    except OutsideError as error:
        raise ApiProblem(404, "not_read", str(error)) from error
    name = quote(f"{record.filename.rsplit('/', 1)[-1]}.{_ENDINGS[format]}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(pieces, media_type=_TYPES[format], headers=headers)


@router.delete("/files", summary="Remove a file", responses=documented(404, 409))
def remove_file(
    service: ServiceDep,
    caller: WriterDep,
    filename: _Filename,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    origin: _OriginOption = None,
) -> RemovedFile:
    """Remove a file from the bucket, and everything that is kept of it; or a document of chunks that were handed in."""
    scope = scope_of(caller, user_id=user_id, project_id=project_id)
    for file_id in _named(scope, filename, origin):
        try:
            removed = remove(service.project, file_id)
        except FileIsBusy as error:
            raise ApiProblem(409, "busy", str(error)) from error
        if removed is not None:
            return RemovedFile(key=key_of(file_id), chunks=removed)
    raise _unknown(filename)


class FileToRerun(BaseModel):
    """Which file is to be read again."""

    user_id: str = Field(default="", max_length=MAX_NAME)
    project_id: str = Field(default="", max_length=MAX_NAME)
    filename: str = Field(min_length=1, max_length=_MAX_FILENAME)
    afresh: bool = Field(default=False, description="forget what earlier runs kept of it, also what is still right")


@router.post("/files/rerun", status_code=202, summary="Have a file read again", responses=documented(404, 409))
def rerun_file(service: ServiceDep, caller: WriterDep, body: FileToRerun) -> FileRerun:
    """Have a file's run start again, though the file did not change; until it ends, its chunks stay as they are."""
    scope = scope_of(caller, user_id=body.user_id, project_id=body.project_id)
    (file_id,) = _named(scope, body.filename, "bucket")
    try:
        is_known = ask_again(service.project, file_id, afresh=body.afresh)
    except FileIsBusy as error:
        raise ApiProblem(409, "busy", str(error)) from error
    if not is_known:
        raise _unknown(body.filename)
    return FileRerun(key=key_of(file_id))


def _record(
    service: Service, caller: Caller, *, user_id: str, project_id: str, filename: str, origin: str | None
) -> FileRecord:
    scope = scope_of(caller, user_id=user_id, project_id=project_id)
    names = _named(scope, filename, origin)
    for file_id in names:
        if (record := service.project.store.file(file_id)) is not None:
            return record
    if ScopeFiles(service.project.database).underway(names):
        raise ApiProblem(404, "not_read", f"{filename[:200]!r}: no run has read it yet; ask again when one has")
    raise _unknown(filename)


def _named(scope: Scope, filename: str, origin: str | None) -> list[str]:
    """Return the ids that a file of this name may have."""
    name = possible(filename)
    in_bucket = file_id_of(key_for(scope.user_id, scope.project_id, name))
    handed_in = client_file_id(scope.user_id, scope.project_id, name)
    return {Origin.BUCKET.value: [in_bucket], Origin.CLIENT.value: [handed_in]}.get(
        origin or "", [in_bucket, handed_in]
    )


def _unknown(filename: str) -> ApiProblem:
    return ApiProblem(404, "no_such_file", f"{filename[:200]!r}: no file of this name in the project; see GET /files")

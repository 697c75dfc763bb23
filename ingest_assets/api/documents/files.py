"""List a project's files, show what was read of one, remove it, or have it read again."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from ingest_assets.actions.documents import Form, exported
from ingest_assets.actions.files_by_name import FileIsBusy, ask_again, remove
from ingest_assets.api.admission.scoping import MAX_NAME, scope_of
from ingest_assets.api.callers import ReadScopeDep, ServiceDep, WriterDep, WriteScopeDep
from ingest_assets.api.documents.file_answers import ChunkList, FileChunk, FileEntry, FileList, FileRerun, RemovedFile
from ingest_assets.api.documents.named_files import (
    MAX_FILENAME,
    FilenameOption,
    OriginOption,
    RecordDep,
    ids_of,
    no_such_file,
)
from ingest_assets.api.idempotency import IdempotentRoute
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import key_of
from ingest_assets.index.scope_files import ScopeFiles

_TYPES = {Form.MARKDOWN: "text/markdown; charset=utf-8", Form.JSON: "application/json"}
_ENDINGS = {Form.MARKDOWN: "md", Form.JSON: "json"}
_MAX_OFFSET = 10_000_000
_Offset = Annotated[int, Query(ge=0, le=_MAX_OFFSET)]
router = APIRouter(tags=["files"], responses=documented(), route_class=IdempotentRoute)


@router.get("/files", summary="The files of a project")
def files(
    service: ServiceDep,
    scope: ReadScopeDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: _Offset = 0,
) -> FileList:
    """List files page by page: first those that no run has tried yet, then those of the ledger, each by file_id."""
    project, by_scope = service.project, ScopeFiles(service.project.database)
    waiting = by_scope.new(scope, limit=limit + 1, offset=offset)
    metadata = project.file_details.of_files([each.file_id for each in waiting])
    new = [FileEntry.of_new(each, metadata=metadata.get(each.file_id, "")) for each in waiting]
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
    record: RecordDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    offset: _Offset = 0,
) -> ChunkList:
    """List the chunks in force, in document order."""
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
    record: RecordDep,
    format: Annotated[Form, Query(description="markdown, or json with every element")] = Form.MARKDOWN,
) -> StreamingResponse:
    """Send what was read, with tables, and captions where pictures stand; of chunks that were handed in, the chunks."""
    try:
        pieces = exported(service.project, record, form=format)
    except OutsideError as error:
        raise ApiProblem(404, "not_read", str(error)) from error
    name = quote(f"{record.filename.rsplit('/', 1)[-1]}.{_ENDINGS[format]}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(pieces, media_type=_TYPES[format], headers=headers)


@router.delete("/files", summary="Remove a file", responses=documented(404, 409))
def remove_file(
    service: ServiceDep, scope: WriteScopeDep, filename: FilenameOption, origin: OriginOption = None
) -> RemovedFile:
    """Remove a file from the bucket, and everything that is kept of it; or a document of chunks that were handed in."""
    for file_id in ids_of(scope, filename, origin):
        try:
            removed = remove(service.project, file_id)
        except FileIsBusy as error:
            raise ApiProblem(409, "busy", str(error)) from error
        if removed is not None:
            return RemovedFile(key=key_of(file_id), chunks=removed)
    raise no_such_file(filename)


class FileToRerun(BaseModel):
    """Which file is to be read again."""

    user_id: str = Field(default="", max_length=MAX_NAME)
    project_id: str = Field(default="", max_length=MAX_NAME)
    filename: str = Field(min_length=1, max_length=MAX_FILENAME)
    afresh: bool = Field(default=False, description="forget what earlier runs kept of it, also what is still right")


@router.post("/files/rerun", status_code=202, summary="Have a file read again", responses=documented(404, 409))
def rerun_file(service: ServiceDep, caller: WriterDep, body: FileToRerun) -> FileRerun:
    """Have a file's run start again, though the file did not change; until it ends, its chunks stay as they are."""
    scope = scope_of(caller, user_id=body.user_id, project_id=body.project_id)
    (file_id,) = ids_of(scope, body.filename, "bucket")
    try:
        is_known = ask_again(service.project, file_id, afresh=body.afresh)
    except FileIsBusy as error:
        raise ApiProblem(409, "busy", str(error)) from error
    if not is_known:
        raise no_such_file(body.filename)
    return FileRerun(key=key_of(file_id))

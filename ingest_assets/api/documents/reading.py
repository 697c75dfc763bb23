"""Show how a document was read, page by page: its picture, what was read of it, by whom, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from ingest_assets.actions.documents import all_chunks, captions_of
from ingest_assets.api.callers import ServiceDep
from ingest_assets.api.documents.named_files import RecordDep
from ingest_assets.api.documents.reading_answers import (
    FileReading,
    PageReading,
    PageWords,
    UnreadPlace,
    WordBox,
    elements_of,
    read_chunk,
    reading_of,
)
from ingest_assets.api.pictures.page_pictures import can_be_drawn
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.service import Service
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Part
from ingest_assets.stages.retrieval import page_image

router = APIRouter(prefix="/files", tags=["reading"], responses=documented(404, 409))
_Page = Annotated[int, Query(ge=1, le=10_000_000, description="page, from 1; or part, where the format has no pages")]
_PICTURE_TYPES = {"image/png", "image/jpeg"}
_SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""For what came from files: nothing in it may run, whatever a browser takes it for."""
_MOST_UNREAD = 500
_CHUNKS_WITHOUT_PAGES = 50
_FOR_AN_HOUR = {"Cache-Control": "private, max-age=3600", "Content-Security-Policy": _SANDBOX}


def _drawable(record: RecordDep) -> FileRecord:
    if not can_be_drawn(record):
        kind = record.media_type or "this type"
        raise ApiProblem(404, "no_page_picture", f"pages of {kind} have no pictures; GET /files/page/reading has text")
    return record


_DrawableDep = Annotated[FileRecord, Depends(_drawable)]


@router.get("/reading", summary="How a document was read")
def file_reading(service: ServiceDep, record: RecordDep) -> FileReading:
    """Say what was read, by which models, and what was left out and why."""
    project = service.project
    unread = [
        UnreadPlace(part.number, part.page_number, part.problem)
        for part in (_parts(service, record) if record.quarantined else ())
        if part.problem
    ]
    captions = captions_of(project, record.file_id) if record.pictures or record.pages_by_ocr else {}
    return reading_of(record, unread=unread[:_MOST_UNREAD], captions=captions, has_page_images=can_be_drawn(record))


@router.get("/page/reading", summary="What was read of a page")
def page_reading(service: ServiceDep, record: RecordDep, page: _Page = 1) -> PageReading:
    """Return a page's elements with their pictures, and the chunks that stand on it."""
    has_pages = record.pages > 0
    parts = list(_of_page(_parts(service, record), page, has_pages=has_pages))
    captions = captions_of(service.project, record.file_id)
    if has_pages:
        chunks = [chunk for chunk in all_chunks(service.project, record.file_id) if page in chunk.pages]
    else:
        chunks = service.project.store.chunks(record.file_id, limit=_CHUNKS_WITHOUT_PAGES)
    return PageReading(
        page_number=page,
        last=record.pages or record.parts,
        elements=[element for part in parts for element in elements_of(part, captions)],
        chunks=[read_chunk(chunk) for chunk in chunks],
        problems=[part.problem for part in parts if part.problem],
        warnings=[warning for part in parts for warning in part.warnings],
    )


@router.get(
    "/page",
    summary="A page as a picture",
    response_class=Response,
    responses={200: {"content": {page_image.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
def page_picture(service: ServiceDep, record: _DrawableDep, page: _Page = 1) -> Response:
    """Draw a page of a PDF or of a picture file; it is drawn once, in a process of its own."""
    data = service.page_pictures.image(service.project, record, page)
    return Response(data, media_type=page_image.MEDIA_TYPE, headers=_FOR_AN_HOUR)


@router.get("/page/words", summary="Where the words of a page stand")
def page_words(service: ServiceDep, record: _DrawableDep, page: _Page = 1) -> PageWords:
    """Return the words of a page with their boxes on its picture."""
    found = service.page_pictures.words(service.project, record, page)
    words = [WordBox(word.text, word.left, word.top, word.width, word.height) for word in found.words]
    return PageWords(found.width, found.height, words, found.is_read_by_ocr)


@router.get(
    "/picture",
    summary="A picture of a document",
    response_class=Response,
    responses={200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _PICTURE_TYPES}}},
)
def file_picture(
    service: ServiceDep, record: RecordDep, sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$")]
) -> Response:
    """Return a picture that stands in a document, by its hash."""
    found = next((each for part in _parts(service, record) for each in part.pictures if each.sha256 == sha256), None)
    if found is None:
        raise ApiProblem(404, "no_such_picture", "the document has no such picture; see its elements")
    stored = service.project.artifacts.read("parsed_documents", record.file_id, Part)
    headers = dict(_FOR_AN_HOUR)
    media_type = found.media_type
    if media_type not in _PICTURE_TYPES:
        headers["Content-Disposition"], media_type = "attachment", "application/octet-stream"
    return Response(stored.attachment(sha256), media_type=media_type, headers=headers)


def _parts(service: Service, record: FileRecord) -> Iterator[Part]:
    """Yield what is kept of a document; nothing where no run got so far."""
    artifacts = service.project.artifacts
    if artifacts.manifest("parsed_documents", record.file_id) is not None:
        yield from artifacts.read("parsed_documents", record.file_id, Part).untouched()


def _of_page(parts: Iterator[Part], page: int, *, has_pages: bool) -> Iterator[Part]:
    for part in parts:
        number = part.page_number if has_pages and part.page_number is not None else part.number
        if number == page:
            yield part
        elif number > page:
            return

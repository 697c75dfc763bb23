"""Show how a document was read, page by page: its picture, what was read of it, by whom, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from ingest_assets.access.callers import Caller
from ingest_assets.api.callers import ReaderDep, ServiceDep
from ingest_assets.api.page_pictures import can_be_drawn
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.scoping import OwnerName, scope_of
from ingest_assets.api.service import Service
from ingest_assets.documents import all_chunks, captions_of
from ingest_assets.file_ids import client_file_id, file_id_of, key_for
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Caption, Chunk, Part
from ingest_assets.stages import page_image

router = APIRouter(prefix="/files", tags=["reading"], responses=documented(404, 409))
_Filename = Annotated[str, Query(min_length=1, max_length=1024, description="its name below the project")]
_Page = Annotated[int, Query(ge=1, le=10_000_000, description="page, from 1; or part, where the format has no pages")]
_PICTURE_TYPES = {"image/png", "image/jpeg"}
_SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""For what came from files: nothing in it may run, whatever a browser takes it for."""
_MOST_UNREAD = 500
_CHUNKS_WITHOUT_PAGES = 50
_FOR_AN_HOUR = {"Cache-Control": "private, max-age=3600", "Content-Security-Policy": _SANDBOX}


@dataclass(frozen=True, slots=True)
class UnreadPlace:
    """A part of a document that could not be read."""

    part: int
    page_number: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class StageTaken:
    """What one stage took."""

    stage: str
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class FileReading:
    """How a document was read."""

    file_id: str
    filename: str
    state: str
    media_type: str
    size_bytes: int
    pages: int
    pages_read: int
    pages_by_ocr: int
    parts: int
    has_page_images: bool
    """`/files/page` shows its pages as pictures."""
    elements: int
    tables: int
    pictures: int
    decorations: int
    """Pictures without content, which were left out."""
    unread_pictures: int
    """Pictures that did not fit in memory."""
    duplicates: int
    """Chunks that were left out because the store holds their text already."""
    chunks: int
    languages: list[str]
    summary: str
    model: str
    """Of the vectors."""
    picture_models: list[str]
    """What described and read its pictures."""
    unread: list[UnreadPlace]
    """What was left out, and why; 500 at most."""
    warnings: list[str]
    error: str
    stages: list[StageTaken]
    generation: int
    updated_at: str
    origin: str


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """A picture in a document, and what was read from it."""

    sha256: str
    width: int
    height: int
    caption: str
    text: str
    model: str
    confidence: float | None
    is_doubtful: bool
    problem: str
    is_page: bool
    """It is the page itself."""


@dataclass(frozen=True, slots=True)
class ReadElement:
    """A piece of a page in reading order."""

    type: str
    text: str
    level: int
    picture: ReadPicture | None


@dataclass(frozen=True, slots=True)
class ReadChunk:
    """A chunk that stands on a page, as a search finds it."""

    chunk_id: str
    index: int
    text: str
    words: int
    pages: list[int]
    section: list[str]


@dataclass(frozen=True, slots=True)
class PageReading:
    """What was read of one page, or of one part where the format has no pages."""

    page_number: int
    last: int
    """Number of the last page or part."""
    elements: list[ReadElement]
    chunks: list[ReadChunk]
    """Those that stand on the page; where the format has no pages, the first 50 of the document."""
    problems: list[str]
    """Why parts of it could not be read."""
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class WordBox:
    """A word, or a line that OCR read, with its box as shares of the page's width and height, 0 to 1."""

    text: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PageWords:
    """Where the words of a page stand on its picture."""

    width: int
    """Of the picture, in pixels."""
    height: int
    words: list[WordBox]
    is_read_by_ocr: bool


@router.get("/reading", summary="How a document was read")
def file_reading(
    service: ServiceDep, caller: ReaderDep, filename: _Filename, user_id: OwnerName = "", project_id: OwnerName = ""
) -> FileReading:
    """Say what was read, by which models, and what was left out and why."""
    record = _record(service, caller, user_id=user_id, project_id=project_id, filename=filename)
    project = service.project
    unread = [
        UnreadPlace(part.number, part.page_number, part.problem)
        for part in (_parts(service, record) if record.quarantined else ())
        if part.problem
    ]
    captions = captions_of(project, record.file_id) if record.pictures or record.pages_by_ocr else {}
    return FileReading(
        file_id=record.file_id,
        filename=record.filename,
        state=record.state.value,
        media_type=record.media_type,
        size_bytes=record.size_bytes,
        pages=record.pages,
        pages_read=record.pages_read,
        pages_by_ocr=record.pages_by_ocr,
        parts=record.parts,
        has_page_images=can_be_drawn(record),
        elements=record.elements,
        tables=record.tables,
        pictures=record.pictures,
        decorations=record.decorations,
        unread_pictures=record.unread_pictures,
        duplicates=record.duplicates,
        chunks=record.chunks,
        languages=list(record.languages),
        summary=record.summary,
        model=record.model,
        picture_models=sorted({caption.model for caption in captions.values() if caption.model}),
        unread=unread[:_MOST_UNREAD],
        warnings=list(record.warnings),
        error=record.error,
        stages=[StageTaken(cost.stage, cost.seconds, cost.peak_memory_mb) for cost in record.stages],
        generation=record.generation,
        updated_at=record.updated_at,
        origin=record.origin.value,
    )


@router.get("/page/reading", summary="What was read of a page")
def page_reading(
    service: ServiceDep,
    caller: ReaderDep,
    filename: _Filename,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    page: _Page = 1,
) -> PageReading:
    """Return a page's elements with their pictures, and the chunks that stand on it."""
    record = _record(service, caller, user_id=user_id, project_id=project_id, filename=filename)
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
        elements=[element for part in parts for element in _elements(part, captions)],
        chunks=[_chunk(chunk) for chunk in chunks],
        problems=[part.problem for part in parts if part.problem],
        warnings=[warning for part in parts for warning in part.warnings],
    )


@router.get(
    "/page",
    summary="A page as a picture",
    response_class=Response,
    responses={200: {"content": {page_image.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
def page_picture(
    service: ServiceDep,
    caller: ReaderDep,
    filename: _Filename,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    page: _Page = 1,
) -> Response:
    """Draw a page of a PDF or of a picture file; it is drawn once, in a process of its own."""
    record = _drawable(service, caller, user_id=user_id, project_id=project_id, filename=filename)
    data = service.page_pictures.image(service.project, record, page)
    return Response(data, media_type=page_image.MEDIA_TYPE, headers=_FOR_AN_HOUR)


@router.get("/page/words", summary="Where the words of a page stand")
def page_words(
    service: ServiceDep,
    caller: ReaderDep,
    filename: _Filename,
    user_id: OwnerName = "",
    project_id: OwnerName = "",
    page: _Page = 1,
) -> PageWords:
    """Return the words of a page with their boxes on its picture."""
    record = _drawable(service, caller, user_id=user_id, project_id=project_id, filename=filename)
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
    service: ServiceDep,
    caller: ReaderDep,
    filename: _Filename,
    sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$")],
    user_id: OwnerName = "",
    project_id: OwnerName = "",
) -> Response:
    """Return a picture that stands in a document, by its hash."""
    record = _record(service, caller, user_id=user_id, project_id=project_id, filename=filename)
    found = next((each for part in _parts(service, record) for each in part.pictures if each.sha256 == sha256), None)
    if found is None:
        raise ApiProblem(404, "no_such_picture", "the document has no such picture; see its elements")
    stored = service.project.artifacts.read("parsed_documents", record.file_id, Part)
    headers = dict(_FOR_AN_HOUR)
    media_type = found.media_type
    if media_type not in _PICTURE_TYPES:
        headers["Content-Disposition"], media_type = "attachment", "application/octet-stream"
    return Response(stored.attachment(sha256), media_type=media_type, headers=headers)


def _record(service: Service, caller: Caller, *, user_id: str, project_id: str, filename: str) -> FileRecord:
    scope = scope_of(caller, user_id=user_id, project_id=project_id)
    in_bucket = file_id_of(key_for(scope.user_id, scope.project_id, filename))
    handed_in = client_file_id(scope.user_id, scope.project_id, filename)
    for file_id in (in_bucket, handed_in):
        if (record := service.project.store.file(file_id)) is not None:
            return record
    raise ApiProblem(404, "not_read", f"{filename[:200]!r}: no run has read a file of this name yet; see GET /files")


def _drawable(service: Service, caller: Caller, *, user_id: str, project_id: str, filename: str) -> FileRecord:
    record = _record(service, caller, user_id=user_id, project_id=project_id, filename=filename)
    if not can_be_drawn(record):
        kind = record.media_type or "this type"
        raise ApiProblem(404, "no_page_picture", f"pages of {kind} have no pictures; GET /files/page/reading has text")
    return record


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


def _elements(part: Part, captions: dict[str, Caption]) -> Iterator[ReadElement]:
    known = {picture.sha256: picture for picture in part.pictures}
    for element in part.elements:
        picture = None
        if element.picture:
            seen, said = known.get(element.picture), captions.get(element.picture)
            picture = ReadPicture(
                sha256=element.picture,
                width=seen.width if seen else 0,
                height=seen.height if seen else 0,
                caption=said.caption if said else "",
                text=said.text if said else "",
                model=said.model if said else "",
                confidence=said.confidence if said else None,
                is_doubtful=said.is_doubtful if said else False,
                problem=said.problem if said else "",
                is_page=seen.is_page if seen else False,
            )
        yield ReadElement(element.type.value, element.text, element.level, picture)


def _chunk(chunk: Chunk) -> ReadChunk:
    return ReadChunk(chunk.chunk_id, chunk.index, chunk.text, chunk.words, list(chunk.pages), list(chunk.section))

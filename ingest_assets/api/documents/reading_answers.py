"""Describe how documents were read, as the service tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Caption, Chunk, Part
from ingest_assets.stages.retrieval.export import ExportedPicture, exported_picture


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
    metadata: dict[str, Any]
    """What an upload said of the file."""


@dataclass(frozen=True, slots=True)
class ReadElement:
    """A piece of a page in reading order."""

    type: str
    text: str
    level: int
    picture: ExportedPicture | None


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


def reading_of(
    record: FileRecord, *, unread: Iterable[UnreadPlace], captions: Mapping[str, Caption], has_page_images: bool
) -> FileReading:
    """Say how a document was read, from its entry in the ledger."""
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
        has_page_images=has_page_images,
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
        unread=list(unread),
        warnings=list(record.warnings),
        error=record.error,
        stages=[StageTaken(cost.stage, cost.seconds, cost.peak_memory_mb) for cost in record.stages],
        generation=record.generation,
        updated_at=record.updated_at,
        origin=record.origin.value,
        metadata=record.described,
    )


def elements_of(part: Part, captions: Mapping[str, Caption]) -> Iterator[ReadElement]:
    """Yield what stands in a part, with its pictures and what was read from them."""
    known = {picture.sha256: picture for picture in part.pictures}
    for element in part.elements:
        sha256 = element.picture
        picture = exported_picture(sha256, known.get(sha256), captions.get(sha256)) if sha256 else None
        yield ReadElement(element.type.value, element.text, element.level, picture)


def read_chunk(chunk: Chunk) -> ReadChunk:
    """Describe a chunk as a search finds it."""
    return ReadChunk(chunk.chunk_id, chunk.index, chunk.text, chunk.words, list(chunk.pages), list(chunk.section))

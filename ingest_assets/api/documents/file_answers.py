"""Describe what the service tells of files and of their chunks."""

from __future__ import annotations

import json
from typing import Any, Self
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from ingest_assets.file_ids import is_in_bucket, owner_of
from ingest_assets.index.scope_files import FileUnderway
from ingest_assets.ledger_records import FileRecord, Hit, Origin, Scope
from ingest_assets.records import Caption, Chunk

_WITH_PAGES = ("application/pdf", "image/")
"""Media types whose pages can be shown as pictures."""
_DERIVED = {"state", "stage", "percent", "metadata"}


class FileEntry(BaseModel):
    """A file, or a document of chunks that were handed in."""

    file_id: str
    key: str
    user_id: str
    project_id: str
    filename: str
    state: str = Field(description="pending, processing, or how the last attempt ended")
    stage: str = Field(default="", description="asset that is being made, while processing")
    percent: int = Field(default=0, description="how much of it is done, 0 to 100, while processing")
    origin: str = Field(default="bucket", description="bucket, or client for chunks that were handed in")
    media_type: str = ""
    size_bytes: int = 0
    sha256: str = ""
    pages: int = Field(default=0, description="pages, slides or sheets; 0 where the format has none")
    pages_read: int = 0
    pages_by_ocr: int = 0
    quarantined: tuple[int, ...] = Field(default=(), description="numbers of the parts that could not be read")
    elements: int = 0
    tables: int = 0
    pictures: int = 0
    unread_pictures: int = 0
    chunks: int = Field(default=0, description="chunks in force: those of the last version that was published")
    languages: tuple[str, ...] = ()
    model: str = ""
    summary: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    generation: int = 0
    updated_at: str = ""
    metadata: dict[str, Any] = Field(default={}, description="what an upload said of the file, as its chunks carry it")

    @classmethod
    def of_record(cls, record: FileRecord, underway: FileUnderway | None) -> Self:
        """Return what the ledger says of a file, and where it is on its way to a new version."""
        entry = cls(
            **{name: getattr(record, name) for name in cls.model_fields if name not in _DERIVED},
            state=record.state.value,
            metadata=record.described,
        )
        return entry if underway is None else entry.model_copy(update=_on_its_way(underway))

    @classmethod
    def of_new(cls, file: FileUnderway, *, metadata: str) -> Self:
        """Return what is known of a file that no run has tried yet; `metadata` is JSON: what its upload said of it."""
        user_id, project_id, filename = owner_of(file.key)
        return cls(
            file_id=file.file_id,
            key=file.key,
            user_id=user_id,
            project_id=project_id,
            filename=filename,
            size_bytes=file.size_bytes,
            metadata=json.loads(metadata) if metadata else {},
            **_on_its_way(file),
        )


class FileList(BaseModel):
    """A page of a project's files."""

    files: list[FileEntry]
    next_offset: int | None = Field(description="ask for the next page with it; null at the end")


class FileChunk(BaseModel):
    """A chunk of a file, as a search finds it."""

    chunk_id: str
    index: int = Field(description="place in the document, from 0")
    text: str
    words: int
    pages: tuple[int, ...]
    section: tuple[str, ...] = Field(description="titles above it, outermost first")
    start: int = Field(description="characters of the document before it")
    end: int
    metadata: dict[str, Any] = Field(description="what a client said of it, or of its file when it uploaded it")

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        """Return a chunk as the API shows it."""
        fields = {name: getattr(chunk, name) for name in cls.model_fields if name != "metadata"}
        return cls(**fields, metadata=dict(chunk.metadata))


class ChunkList(BaseModel):
    """A page of a file's chunks."""

    file: FileEntry
    chunks: list[FileChunk]
    next_offset: int | None


class RemovedFile(BaseModel):
    """What a removal took with it."""

    key: str
    chunks: int


class FileRerun(BaseModel):
    """The file waits for its run."""

    key: str
    state: str = "pending"


class FoundPicture(BaseModel):
    """A picture that stands in a chunk."""

    sha256: str
    page_number: int | None
    caption: str
    text: str = Field(description="text read from it")
    is_doubtful: bool = Field(description="the model was not sure of the text")


class HitFile(BaseModel):
    """The file that a hit is from."""

    file_id: str
    user_id: str
    project_id: str
    filename: str
    media_type: str
    origin: str = Field(description="bucket, or client for chunks that were handed in")
    content_url: str = Field(description="the document as it was read")


class PageLink(BaseModel):
    """A page that a hit stands on."""

    page_number: int
    image_url: str


class SearchHit(FileChunk):
    """One answer of a search."""

    score: float = Field(description="cosine similarity to the query, -1 to 1")
    file: HitFile
    pictures: list[FoundPicture]
    page_links: list[PageLink] = Field(description="its pages as pictures, of formats that have such")

    @classmethod
    def of_hit(cls, hit: Hit, scope: Scope, *, captions: list[Caption], below: str) -> Self:
        """Return a hit; `captions` are of the pictures that stand in it, `below` is the path of the service."""
        named = {"user_id": scope.user_id, "project_id": scope.project_id, "filename": hit.filename}
        chunk = hit.chunk
        has_pages = hit.media_type.startswith(_WITH_PAGES)
        return cls(
            **FileChunk.of(chunk).model_dump(),
            score=hit.score,
            file=HitFile(
                file_id=chunk.file_id,
                media_type=hit.media_type,
                origin=(Origin.BUCKET if is_in_bucket(chunk.file_id) else Origin.CLIENT).value,
                content_url=f"{below}/files/content?{urlencode(named)}",
                **named,
            ),
            pictures=[
                FoundPicture(
                    sha256=each.picture,
                    page_number=each.page_number,
                    caption=each.caption,
                    text=each.text,
                    is_doubtful=each.is_doubtful,
                )
                for each in captions
            ],
            page_links=[
                PageLink(page_number=page, image_url=f"{below}/files/page?{urlencode(named | {'page': page})}")
                for page in (chunk.pages if has_pages else ())
            ],
        )


class SearchAnswer(BaseModel):
    """The hits of a search, best first."""

    hits: list[SearchHit]


def _on_its_way(file: FileUnderway) -> dict[str, Any]:
    return {"state": file.state.value, "stage": file.stage, "percent": file.percent}

"""Define what the service answers to its client: files, jobs, chunks and hits.

Fields that a later service adds to its answers are passed over, so an older client still reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

_ENDED = frozenset({"succeeded", "partial", "failed"})


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """What became of one file of an upload."""

    file_id: str
    filename: str
    state: str
    percent: int = 0
    pages: int = 0
    chunks: int = 0
    error: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class ServiceJob:
    """What became of an upload."""

    job_id: str
    state: str
    """receiving, queued, processing, succeeded, partial or failed."""
    files: tuple[ServiceFile, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to its files."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True)
class ServiceBatch:
    """What became of chunks that were handed in."""

    success: bool
    doc_id: str
    total_chunks: int
    indexed_chunks: int
    duplicate_chunks: int
    message: str
    conflicts: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ServiceDocument:
    """A file of the project, or a document of chunks that were handed in."""

    file_id: str
    filename: str
    """Its name below the project, by which it is read and removed."""
    state: str
    """pending, processing, or how its last run ended."""
    origin: str = "bucket"
    """bucket, or client for chunks that were handed in."""
    media_type: str = ""
    size_bytes: int = 0
    sha256: str = ""
    pages: int = 0
    """Pages, slides or sheets; 0 where the format has none."""
    chunks: int = 0
    """Chunks in force."""
    languages: tuple[str, ...] = ()
    summary: str = ""
    error: str = ""
    updated_at: str = ""
    """UTC, ISO 8601."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What an upload said of it."""


@dataclass(frozen=True, slots=True)
class ServiceChunk:
    """A chunk of a document, as a search finds it."""

    chunk_id: str
    index: int
    """Place in the document, from 0."""
    text: str
    pages: tuple[int, ...] = ()
    """Numbers from 1."""
    section: tuple[str, ...] = ()
    """Titles above it, outermost first."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the client that handed it in said of it."""


@dataclass(frozen=True, slots=True)
class ServiceHitFile:
    """The document that a hit is from."""

    file_id: str
    user_id: str
    project_id: str
    filename: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class ServiceHit(ServiceChunk):
    """A chunk that a search found."""

    score: float = 0.0
    """Cosine similarity to the question, -1 to 1."""
    file: ServiceHitFile = field(kw_only=True)


class _FileOfTakenJob(msgspec.Struct):
    file_id: str
    filename: str


class TakenJob(msgspec.Struct):
    """The answer to a request that hands in files: none has been looked at yet."""

    job_id: str
    state: str
    files: list[_FileOfTakenJob]

    def job(self) -> ServiceJob:
        """Return the upload as it stands."""
        files = tuple(ServiceFile(each.file_id, each.filename, self.state) for each in self.files)
        return ServiceJob(self.job_id, self.state, files)

"""Define the records of the store: a file's entry in the ledger, the scope of a search, its hits, the stored rows.

Like those of `records.py` they hold plain values only and encode to JSON without further code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias
from unicodedata import normalize

from ingest_assets.records import Chunk

if TYPE_CHECKING:
    from ingest_assets.records import Vector


def utc_text(moment: datetime | None = None) -> str:
    """Write a moment, or now, as the ledger does: UTC, ISO 8601, whole seconds."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")


class State(StrEnum):
    """How the last attempt at a file ended."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """Published without the parts that could not be read."""
    EMPTY = "empty"
    """Read completely, and it contains no text."""
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    """It ended at its memory cap, and a smaller attempt follows."""
    QUARANTINED = "quarantined"
    """It needs more memory than its cap at any window; it is tried again when it, the code or the settings change."""
    CANCELLED = "cancelled"
    """A person cancelled its run; it is tried again when it changes or when somebody asks for it."""

    @property
    def is_failure(self) -> bool:
        """Whether the attempt published nothing."""
        return self in {State.FAILED, State.OUT_OF_MEMORY, State.QUARANTINED, State.CANCELLED}


class Origin(StrEnum):
    """Where a document's chunks come from."""

    BUCKET = "bucket"
    """From a file that this project read: the document is the file's content."""
    CLIENT = "client"
    """Cut by a client and handed in one by one: the document is all that was handed in."""


@dataclass(frozen=True, slots=True)
class StageCost:
    """Time and memory of one stage in the run that made its result."""

    stage: str
    """Name of the asset."""
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """The ledger's entry of one file. Every store keeps it beside the chunks."""

    file_id: str
    user_id: str
    project_id: str
    filename: str
    key: str
    state: State
    version: str = ""
    """Bucket version of the last attempt: equal means nothing to do."""
    size_bytes: int = 0
    sha256: str = ""
    media_type: str = ""
    pages: int = 0
    """Pages, slides or sheets; 0 where the format has no pages."""
    pages_read: int = 0
    """Pages of which every part was read."""
    pages_by_ocr: int = 0
    """Pages whose text was read from a picture of the page."""
    parts: int = 0
    quarantined: tuple[int, ...] = ()
    """Numbers of the parts that could not be read."""
    unread_pictures: int = 0
    """Pictures that did not fit in memory."""
    elements: int = 0
    pictures: int = 0
    decorations: int = 0
    """Pictures without content: tiny, of one colour, or on most pages."""
    tables: int = 0
    characters: int = 0
    """Of the elements' text, without captions."""
    languages: tuple[str, ...] = ()
    """ISO 639-1, the language of most words first; languages of less than a tenth of the words are not listed."""
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    model: str = ""
    dimension: int = 0
    fingerprint: str = ""
    """Hash of the settings, models and code versions that this result depends on."""
    generation: int = 0
    """The set of chunks in force; 0 before the first. Given by the store."""
    summary: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    """Of all stages."""
    peak_memory_mb: float = 0.0
    """The highest of all stages."""
    stages: tuple[StageCost, ...] = ()
    updated_at: str = ""
    """UTC, ISO 8601."""
    window: int = 0
    """Parts in memory at once in the run that made this; 0 where no run did."""
    origin: Origin = Origin.BUCKET
    chunks_digest: str = ""
    """Digest of the kept chunks that were published; empty where none are kept, as for chunks that clients hand in."""
    duplicates: int = 0
    """Chunks that were removed from the store because it holds the same text already."""
    metadata: str = ""
    """What an upload said of the file, as its chunks in force carry it: a JSON object; empty where nothing was said."""

    @property
    def described(self) -> dict[str, Any]:
        """Return what an upload said of the file."""
        return json.loads(self.metadata) if self.metadata else {}


@dataclass(frozen=True, slots=True)
class Scope:
    """The user and project whose rows a search may see. Neither may be empty: no scope ever means "all users"."""

    user_id: str
    project_id: str

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) and name for name in (self.user_id, self.project_id)):
            raise ValueError("a scope names a user and a project, as texts; neither may be empty")
        # Owners are kept in composed letters (file_ids.py); a Mac or a person may type them in others.
        for name in ("user_id", "project_id"):
            object.__setattr__(self, name, normalize("NFC", getattr(self, name)))


JsonScalar: TypeAlias = str | int | float | bool
"""A value of a client's field that a filter can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which chunks of a scope a search may return. All parts have to agree; an empty part lets every chunk through."""

    filenames: tuple[str, ...] = ()
    """The chunk's file has one of these names."""
    media_types: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    """One of the titles above the chunk is one of these."""
    pages: tuple[int, ...] = ()
    """The chunk stands on one of these pages."""
    metadata: Mapping[str, tuple[JsonScalar, ...]] = field(default_factory=dict, hash=False)
    """Each of these fields of the client has one of these values, or is a list that holds one of them."""

    def __post_init__(self) -> None:
        # Filenames are kept in composed letters, as owners are.
        object.__setattr__(self, "filenames", tuple(normalize("NFC", name) for name in self.filenames))

    @property
    def is_empty(self) -> bool:
        """Whether it lets every chunk through."""
        return not (self.filenames or self.media_types or self.sections or self.pages or self.metadata)

    def lets_through(self, chunk: Chunk, *, filename: str, media_type: str) -> bool:
        """Tell whether a search may return a chunk of a file of this name and type."""
        return (
            (not self.filenames or filename in self.filenames)
            and (not self.media_types or media_type in self.media_types)
            and (not self.sections or not set(self.sections).isdisjoint(chunk.section))
            and (not self.pages or not set(self.pages).isdisjoint(chunk.pages))
            and self.has_values(chunk.metadata)
        )

    def has_values(self, metadata: Mapping[str, Any]) -> bool:
        """Tell whether a client's fields have the values that are asked for."""
        return all(_has_value(metadata.get(name), values) for name, values in self.metadata.items())


def _has_value(kept: Any, wanted: tuple[JsonScalar, ...]) -> bool:
    """Compare as JSON does: a number equals a number, and `true` is no number."""
    there = kept if isinstance(kept, list) else [kept]
    return any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for value in there for each in wanted
    )


EVERYTHING = Filter()
"""Lets every chunk through."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search."""

    chunk: Chunk
    filename: str
    score: float
    """Cosine similarity, -1 to 1."""
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Flags:
    """Whether an answer may be based on a chunk, for systems that search the store by themselves."""

    rag_strict: bool
    """Text, place and owner are complete and agree with each other, so that an answer may be based on it."""
    source_only: bool
    """No model wrote any of the text: it contains no caption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """A row of the store exactly as it is, also if it is damaged or not in force."""

    name: str
    """The store's own name for the row; unique in the store."""
    chunk: Chunk
    vector: Vector | None
    """None where the row has none."""
    model: str
    dimension: int
    """Length of the vector, as the row states it."""
    generation: int
    """The generation that wrote the row."""
    in_force: bool
    """Whether a search may see it."""
    user_id: str
    project_id: str
    filename: str
    source: str
    """Object key of the file."""
    media_type: str
    created: str
    """UTC, ISO 8601: when the row was written."""
    flags: Flags | None = None
    """None before `ingest optimize`."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the store holds of one file, counted from the rows themselves."""

    rows: int
    wrong_dimension: int = 0
    not_finite: int = 0
    not_unit: int = 0
    wrong_model: int = 0
    stray: int = 0
    """Rows of the file that belong to a generation that is not in force."""
    problems: tuple[str, ...] = field(default=())

"""Describe the bodies of the chunk API, and turn them into chunks that a stage takes.

The bodies are those of the chunk service that this one replaces, so that its clients work unchanged. What a client
sends beyond them is kept: each field of `markdown` and `metadata` stands in the chunk's own fields under its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ingest_assets.file_ids import nfc
from ingest_assets.ledger_records import Scope
from ingest_assets.stages.client_chunks import MAX_TEXT_CHARS, ClientChunk, problem_of
from ingest_assets.stages.prechunk import Answer, Status

MAX_CHUNKS = 5_000
"""Chunks in one JSON document; lines of JSON may be any number."""
_NAMED = 10
"""Conflicts that a message names; all are in a field of their own."""
_MAX_INT = 2**31 - 1
_Id = Annotated[str, Field(min_length=1, max_length=256)]
_Order = Annotated[int, Field(ge=0, le=_MAX_INT)]
_PLACED = {"text", "chunk_order_index", "pages"}
"""Fields of `markdown` that a chunk has a place for."""


class ChunkMarkdown(BaseModel):
    """The text of a chunk, and where it comes from."""

    model_config = ConfigDict(extra="allow")

    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARS)
    chunk_order_index: _Order | None = Field(default=None, description="place in the document, from 0")
    source: str | None = None
    filename: str | None = Field(default=None, description="kept with the chunk; the document's name is its doc_id")
    pages: list[Annotated[int, Field(ge=1, le=_MAX_INT)]] | None = Field(default=None, max_length=10_000)


class ChunkMetadata(BaseModel):
    """Whose chunk it is, and what the client says of it; any further fields are kept."""

    model_config = ConfigDict(extra="allow")

    doc_id: _Id
    entity_id: str | None = Field(default=None, description="must equal the entity in the path where it is given")
    chunk_index: _Order | None = Field(default=None, description="place in the document where markdown gives none")
    tokens: int | None = None
    processed_by: str | None = None


class ChunkCreate(BaseModel):
    """One chunk that a client has cut."""

    model_config = ConfigDict(extra="allow")

    chunk_id: _Id = Field(description="the client's own, unique in the entity")
    markdown: ChunkMarkdown
    metadata: ChunkMetadata


class ChunkBatch(BaseModel):
    """Chunks of one document."""

    chunks: list[ChunkCreate] = Field(min_length=1, max_length=MAX_CHUNKS)


class ChunkAnswer(BaseModel):
    """What became of one chunk."""

    success: bool = Field(description="the entity has this chunk, with this content")
    chunk_id: str
    entity_id: str
    doc_id: str
    indexed: bool = Field(description="it is new; false for a duplicate and for a conflict")
    message: str
    conflicts: list[str] = Field(default=[], description="the id, where other content is kept under it; else left out")


class ChunkBatchAnswer(BaseModel):
    """What became of a batch of chunks."""

    success: bool = Field(description="the entity has all of these chunks, with this content")
    entity_id: str
    doc_id: str
    total_chunks: int
    indexed_chunks: int
    duplicate_chunks: int = Field(description="chunks that were there already with the same content")
    message: str
    conflicts: list[str] = Field(
        default=[], description="ids under which other content is kept; left out where there are none"
    )


class ChunkLineAnswer(BaseModel):
    """What became of one line."""

    line: int = Field(description="from 1")
    doc_id: str
    chunk_id: str
    status: Status
    message: str = ""


def chunk_of(body: ChunkCreate, *, line: int) -> ClientChunk:
    """Return a chunk as the stages take it; `line` is its place in the request, from 1."""
    markdown, metadata = body.markdown, body.metadata
    return ClientChunk(
        line=line,
        doc_id=metadata.doc_id,
        chunk_id=body.chunk_id,
        text=markdown.text,
        index=_index(markdown.chunk_order_index, metadata.chunk_index),
        pages=tuple(markdown.pages or ()),
        metadata=_fields(body),
    )


def fault_of(body: ChunkCreate, chunk: ClientChunk, *, entity_id: str, doc_id: str) -> str:
    """Say why a chunk cannot go into a document of an entity; empty if it can."""
    named = body.metadata.entity_id
    if named is not None and nfc(named) != nfc(entity_id):
        return f"metadata.entity_id is {named!r} and the path names the entity {entity_id!r}; send it to its own"
    if chunk.doc_id != doc_id:
        return f"metadata.doc_id is {chunk.doc_id!r}, that of the first chunk {doc_id!r}; send one document at a time"
    return problem_of(chunk)


def single_answer(answer: Answer, *, scope: Scope) -> ChunkAnswer:
    """Return what a client of one chunk is told."""
    messages = {
        Status.INSERTED: "Chunk successfully indexed",
        Status.IDENTICAL: "Chunk already exists (duplicate skipped)",
        Status.CONFLICT: f"Chunk {answer.chunk_id} is in conflict: {answer.reason}",
    }
    return ChunkAnswer(
        success=answer.status is not Status.CONFLICT,
        chunk_id=answer.chunk_id,
        entity_id=scope.project_id,
        doc_id=answer.doc_id,
        indexed=answer.status is Status.INSERTED,
        message=messages[answer.status],
        conflicts=[answer.chunk_id] if answer.status is Status.CONFLICT else [],
    )


class ChunkTally:
    """Counts what became of the chunks of one document; ids of conflicts are held up to `MAX_CHUNKS`."""

    def __init__(self) -> None:
        self._counts: Counter[Status] = Counter()
        self._conflicts: list[str] = []

    def count(self, answers: Iterable[Answer]) -> None:
        """Count some answers."""
        for answer in answers:
            self._counts[answer.status] += 1
            if answer.status is Status.CONFLICT and len(self._conflicts) < MAX_CHUNKS:
                self._conflicts.append(answer.chunk_id)

    def answer(self, *, scope: Scope, doc_id: str) -> ChunkBatchAnswer:
        """Return what the client is told."""
        counts = self._counts
        told = f"{counts[Status.IDENTICAL]} duplicates skipped"
        if conflicts := counts[Status.CONFLICT]:
            more = f" and {conflicts - _NAMED} more" if conflicts > _NAMED else ""
            told += f", {conflicts} in conflict with what is kept: {', '.join(self._conflicts[:_NAMED])}{more}"
        if counts[Status.REJECTED]:
            told += f", {counts[Status.REJECTED]} rejected"
        return ChunkBatchAnswer(
            success=not conflicts and not counts[Status.REJECTED],
            entity_id=scope.project_id,
            doc_id=doc_id,
            total_chunks=counts.total(),
            indexed_chunks=counts[Status.INSERTED],
            duplicate_chunks=counts[Status.IDENTICAL],
            message=f"Ingested {counts[Status.INSERTED]} chunks ({told}) for doc {doc_id}",
            conflicts=self._conflicts,
        )


def _index(*places: int | None) -> int:
    return next((place for place in places if place is not None), 0)


def _fields(body: ChunkCreate) -> dict[str, Any]:
    """Put all that was sent beside text and place under its name; the name's home goes before it where two share it."""
    fields: dict[str, Any] = {}
    for home, name, value in _given(body):
        fields[f"{home}.{name}" if name in fields else name] = value
    return fields


def _given(body: ChunkCreate) -> Iterator[tuple[str, str, Any]]:
    for home, part in (("metadata", body.metadata), ("markdown", body.markdown), ("chunk", body)):
        for name, value in part.model_dump(exclude_unset=True).items():
            is_part = home == "chunk" and name in {"chunk_id", "markdown", "metadata"}
            if not is_part and not (home == "markdown" and name in _PLACED):
                yield home, name, value

"""Translate a chunk into the fields that every store keeps of it (docs/stores.md lists them), and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.ledger_records import FileRecord, Flags, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk

if TYPE_CHECKING:
    from ingest_assets.records import Vector

Row = Mapping[str, Any]

_BLANK: Row = {
    **dict.fromkeys(("file_id", "user_id", "project_id", "filename", "source", "media_type", "chunk_id"), ""),
    **dict.fromkeys(("text", "text_sha256", "prefix", "model", "created"), ""),
    **dict.fromkeys(("index", "start", "end", "words", "dimension", "generation"), 0),
    **dict.fromkeys(("pages", "section"), ()),
    **dict.fromkeys(("rag_strict", "source_only"), None),
}


def described(embedded: EmbeddedChunk, record: FileRecord) -> dict[str, Any]:
    """Return the fields of a chunk's row, without its text; a row with the same fields and text can stay."""
    chunk = embedded.chunk
    return {
        "file_id": record.file_id,
        "user_id": record.user_id,
        "project_id": record.project_id,
        "filename": record.filename,
        "source": record.key,
        "media_type": record.media_type,
        "chunk_id": chunk.chunk_id,
        "index": chunk.index,
        "text_sha256": chunk.text_sha256,
        "start": chunk.start,
        "end": chunk.end,
        "prefix": chunk.prefix,
        "pages": list(chunk.pages),
        "section": list(chunk.section),
        "words": chunk.words,
        "model": embedded.model,
        "dimension": int(embedded.vector.shape[0]),
    }


def chunk_of(row: Row) -> Chunk:
    """Read a chunk back."""
    return Chunk(
        chunk_id=row["chunk_id"],
        file_id=row["file_id"],
        index=row["index"],
        text=row["text"],
        text_sha256=row["text_sha256"],
        start=row["start"],
        end=row["end"],
        prefix=row["prefix"],
        pages=tuple(row["pages"]),
        section=tuple(row["section"]),
        words=row["words"],
    )


def stored_of(row: Row, *, name: str, vector: Vector | None, in_force: bool) -> StoredChunk:
    """Read a row as it really is; any field may be missing."""
    row = {**_BLANK, **row}
    strict, source = row["rag_strict"], row["source_only"]
    return StoredChunk(
        name=name,
        chunk=chunk_of(row),
        vector=vector,
        model=row["model"],
        dimension=row["dimension"],
        generation=row["generation"],
        in_force=in_force,
        user_id=row["user_id"],
        project_id=row["project_id"],
        filename=row["filename"],
        source=row["source"],
        media_type=row["media_type"],
        created=row["created"],
        flags=None if strict is None or source is None else Flags(bool(strict), bool(source)),
    )

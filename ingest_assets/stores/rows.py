"""Translate a chunk into the fields that every store keeps of it (docs/stores.md lists them), and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.ledger_records import FileRecord, Filter, Flags, Hit, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk

if TYPE_CHECKING:
    from ingest_assets.records import Vector

Row = Mapping[str, Any]

_BLANK: Row = {
    **dict.fromkeys(("file_id", "user_id", "project_id", "filename", "source", "media_type", "chunk_id"), ""),
    **dict.fromkeys(("text", "text_sha256", "prefix", "model", "created"), ""),
    **dict.fromkeys(("index", "start", "end", "words", "dimension", "generation"), 0),
    **dict.fromkeys(("pages", "section"), ()),
    **dict.fromkeys(("rag_strict", "source_only", "metadata"), None),
}


def described(embedded: EmbeddedChunk, record: FileRecord) -> dict[str, Any]:
    """Return the fields of a chunk's row, without its text; a row with the same fields and text can stay.

    A client's fields are JSON in one text, since their names and values may be any; a chunk without them has no such
    text, so that rows of earlier releases stay as they are.
    """
    chunk = embedded.chunk
    fields = {"metadata": json.dumps(dict(chunk.metadata), ensure_ascii=False)} if chunk.metadata else {}
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
        **fields,
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
        metadata=metadata_of(row),
    )


def hit_of(row: Row, *, score: float) -> Hit:
    """Read an answer with its score."""
    return Hit(chunk=chunk_of(row), filename=row["filename"], score=score, media_type=row["media_type"])


def lets_through(filters: Filter, row: Row) -> bool:
    """Tell whether a filter lets a row through."""
    return filters.is_empty or filters.lets_through(
        chunk_of(row), filename=row["filename"], media_type=row["media_type"]
    )


def metadata_of(row: Row) -> dict[str, Any]:
    """Read a client's fields: JSON, or read by the store's library already. What is damaged has none."""
    value = row.get("metadata")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}


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

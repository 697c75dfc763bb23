"""Translate chunks and records into rows of PostgreSQL, and back.

A row's columns are of two kinds: what was embedded (`KEPT`: while it is the same, so is the vector) and where the chunk
is in the document (`PLACE`: what an edit elsewhere in the document changes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ingest_assets.ledger_records import FileRecord, Hit, StoredChunk, utc_text
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores import rows
from ingest_assets.stores.rows import Row

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.pgvector.tables import Tables

KEPT = ("text", "text_sha256", "model", "dimension")

PLACE: Mapping[str, str] = {
    "user_id": "text",
    "project_id": "text",
    "filename": "text",
    "source": "text",
    "media_type": "text",
    "index": "int4",
    "start": "int8",
    "end": "int8",
    "prefix": "text",
    "pages": "int4[]",
    "section": "text[]",
    "words": "int4",
    "metadata": "json",
}
"""Columns with their types."""

COPIED: Mapping[str, str] = {
    "file_id": "text",
    "chunk_id": "text",
    "generation": "int8",
    "text": "text",
    "text_sha256": "text",
    "model": "text",
    "dimension": "int4",
    **PLACE,
}
"""Columns of a new row that are sent before its vector. The server fills `created` and the flags."""

LEDGER = (
    "file_id",
    "user_id",
    "project_id",
    "filename",
    "key",
    "state",
    "version",
    "size_bytes",
    "sha256",
    "media_type",
    "pages",
    "parts",
    "elements",
    "pictures",
    "chunks",
    "embedded",
    "reused",
    "duplicates",
    "model",
    "dimension",
    "fingerprint",
    "generation",
    "summary",
    "error",
    "seconds",
    "peak_memory_mb",
    "origin",
    "updated_at",
)
"""Fields of the record that are also columns, for people who filter; the column `record` is the whole record."""


def described(embedded: EmbeddedChunk, record: FileRecord) -> dict[str, Any]:
    """Return a chunk's row without its vector and without what the server fills in."""
    return rows.described(embedded, record) | {
        "text": embedded.chunk.text,
        "generation": record.generation,
        "metadata": dict(embedded.chunk.metadata),
    }


def copied(row: Row, vector: Vector, tables: Tables) -> list[Any]:
    """Return a row in the order of `COPIED`, followed by its vector."""
    return [*(row[name] for name in COPIED), tables.sent(vector)]


def ledger_row(record: FileRecord) -> list[Any]:
    """Return a record in the order of `LEDGER`, followed by the whole record as JSON.

    JSON that is stored as it came (`json`, not `jsonb`) keeps every character; a column cannot hold NUL.
    """
    values = (getattr(record, name) for name in LEDGER)
    plain = [value.replace("\x00", "\ufffd") if isinstance(value, str) else value for value in values]
    return [*plain, msgspec.json.encode(record).decode()]


def record_of(text: str) -> FileRecord:
    """Read a record back."""
    return msgspec.json.decode(text, type=FileRecord)


def hit_of(row: Row) -> Hit:
    """Read an answer; pgvector's cosine distance is 1 - cosine."""
    return rows.hit_of(row, score=min(1.0, max(-1.0, 1.0 - row["distance"])))


def stored_of(row: Row) -> StoredChunk:
    """Read a row back as it really is."""
    return rows.stored_of(
        {**row, "created": utc_text(row["created"])},
        name=name_of(row["file_id"], row["chunk_id"]),
        vector=None if row["embedding"] is None else array_of(row["embedding"]),
        in_force=row["in_force"],
    )


def array_of(embedding: Any) -> Vector:
    """Return a vector that came from the server."""
    import numpy as np

    return np.asarray(embedding.to_numpy(), dtype=np.float32)


def name_of(file_id: str, chunk_id: str) -> str:
    """Name a row; chunk ids are unique only within a file."""
    return f"{_owner(file_id)}/{chunk_id}"


def chunk_ids_of(file_id: str, names: list[str]) -> list[str]:
    """Return the chunk ids in names of a file's rows; names of other files' rows are ignored."""
    owner = _owner(file_id) + "/"
    return [name.removeprefix(owner) for name in names if name.startswith(owner)]


def _owner(file_id: str) -> str:
    return hashlib.sha256(file_id.encode()).hexdigest()[:16]

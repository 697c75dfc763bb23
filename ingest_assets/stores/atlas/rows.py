"""Translate chunks into documents of `chunks`, and back.

A row's `_id` says which generation wrote it and what it holds: `incarnation/chunk_id/digest@generation`. So a list of
ids, which MongoDB reads from an index without a row, is enough to tell which chunks of a new version are there already
and which rows are in force (`entry.py`).

Vectors are BSON's binary vectors of float32 (subtype 9), which Atlas Vector Search reads as it reads arrays. A vector
of 384 takes 1.5 kB and 3 µs to read so, as an array of doubles 4.9 kB and 18 µs (1,000 vectors, pymongo 4.20).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from ingest_assets.ledger_records import FileRecord, Scope, StoredChunk, utc_text
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.incoming import plain
from ingest_assets.stores.rows import described, stored_of

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import Row

_FLOAT32_HEADER = b"\x27\x00"
"""Element type float32, no padding bits (BSON binary vector specification)."""


def row_name(embedded: EmbeddedChunk, record: FileRecord, *, incarnation: str) -> str:
    """Name the row of a chunk in generation `record.generation`.

    Raises:
        ValueError: the text holds half a surrogate pair, which no store can write.
    """
    content = msgspec.json.encode(described(embedded, record))
    digest = hashlib.sha256(content + b"\n" + embedded.chunk.text.encode()).hexdigest()[:16]
    return f"{incarnation}/{embedded.chunk.chunk_id}/{digest}@{record.generation}"


def parts_of(name: object) -> tuple[str, str, int]:
    """Split a row's name into incarnation, chunk id with digest, and generation; "", "", 0 for a foreign row."""
    if not isinstance(name, str):
        return "", "", 0
    incarnation, _, rest = name.partition("/")
    content, _, generation = rest.rpartition("@")
    return (incarnation, content, int(generation)) if generation.isdecimal() else ("", "", 0)


def chunk_id_of(name: str) -> str:
    """Return the chunk id of a row's name."""
    return parts_of(name)[1].rpartition("/")[0]


def new_row(embedded: EmbeddedChunk, record: FileRecord, *, name: str) -> Row:
    """Return a chunk's row as generation `record.generation` writes it."""
    return {
        "_id": name,
        **described(embedded, record),
        "text": embedded.chunk.text,
        "generation": record.generation,
        "created": utc_text(),
        "rag_strict": None,
        "source_only": None,
        "embedding": packed(embedded.vector),
    }


def stored_chunk_of(row: Row, *, in_force: bool) -> StoredChunk:
    """Read a row as it really is, also if fields are missing."""
    return stored_of(row, name=str(row["_id"]), vector=unpacked(row.get("embedding")), in_force=in_force)


def packed(vector: Vector) -> Any:
    """Return a vector as BSON keeps it, bit for bit."""
    from bson.binary import Binary, BinaryVectorDtype

    return Binary.from_vector(vector, BinaryVectorDtype.FLOAT32)


def unpacked(value: Any) -> Vector | None:
    """Return the vector of a row; None if there is none in our form."""
    import numpy as np
    from bson.binary import VECTOR_SUBTYPE, Binary

    if not isinstance(value, Binary) or value.subtype != VECTOR_SUBTYPE or value[:2] != _FLOAT32_HEADER:
        return None
    return np.frombuffer(value, dtype="<f4", offset=2)


def within(scope: Scope) -> dict[str, Any]:
    """Return the filter of a scope's rows and files; only texts can get into it."""
    return {"user_id": {"$eq": plain(scope.user_id)}, "project_id": {"$eq": plain(scope.project_id)}}

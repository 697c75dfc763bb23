"""Turn the rows of any project's document into a ledger record and chunks with vectors, and back.

A row is a mapping or an object with attributes. It has `text` and `vector`, and may have `id`, `page` or `pages`, and
`section`, by themselves or in a mapping `metadata`. Stores keep these and no others, so any other name in `metadata`
is refused: leaving it out without an error would claim that it was stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest_assets.errors import BadInput
from ingest_assets.file_ids import client_file_id, key_of
from ingest_assets.ledger_records import FileRecord, Origin, Scope, State, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.vectors import NORM_TOLERANCE

if TYPE_CHECKING:
    from ingest_assets.records import Vector

_PLACES = ("id", "page", "pages", "section")
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One row of a document as it is read back from a store."""

    text: str
    vector: Vector
    """float32, of length 1."""
    id: str
    """Unique in the document."""
    pages: tuple[int, ...] = ()
    """From 1."""
    section: tuple[str, ...] = ()
    """Titles above the text, outermost first."""


def record_of_document(scope: Scope, name: str, *, updated_at: str) -> FileRecord:
    """Make the ledger record of a document that was not a file of the bucket.

    Raises:
        BadInput: the name cannot be a document's, such as one with an empty part or `..` between slashes.
    """
    file_id = client_file_id(scope.user_id, scope.project_id, name)
    return FileRecord(
        file_id=file_id,
        user_id=scope.user_id,
        project_id=scope.project_id,
        filename=name,
        key=key_of(file_id),
        state=State.SUCCEEDED,
        updated_at=updated_at,
        origin=Origin.CLIENT,
    )


def chunks_of_rows(rows: Iterable[Any], *, file_id: str, model: str) -> Iterator[EmbeddedChunk]:
    """Yield each row as a chunk of the document; vectors are scaled to length 1.

    A row without an id is named by its place, its text's hash and the document, so that equal input gives equal ids.

    Raises:
        BadInput: a row has no text, no vector, or a name in `metadata` that stores do not keep.
    """
    for index, row in enumerate(rows):
        text = _field(row, "text", index)
        text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        places = _places(row, index)
        chunk = Chunk(
            chunk_id=str(places.get("id") or f"{index}-{text_sha256[:24]}"),
            file_id=file_id,
            index=index,
            text=text,
            text_sha256=text_sha256,
            start=0,
            end=len(text),
            pages=_pages(places),
            section=_section(places.get("section")),
            words=len(text.split()),
        )
        yield EmbeddedChunk(chunk=chunk, vector=unit_vector(_field(row, "vector", index)), model=model)


def row_of(stored: StoredChunk) -> DocumentRow:
    """Return a stored chunk as the row it was written from."""
    assert stored.vector is not None, "a row in force has a vector"
    chunk = stored.chunk
    return DocumentRow(chunk.text, stored.vector, chunk.chunk_id, chunk.pages, chunk.section)


def unit_vector(values: Any) -> Vector:
    """Return numbers as a float32 vector of length 1, as all stores keep it; one of that length stays as it is."""
    import numpy as np

    vector = np.asarray(values, dtype=np.float32)
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    is_sound = np.isfinite(norm) and norm > 0  # the store refuses all others and names the fault
    return vector if not is_sound or abs(norm - 1) <= NORM_TOLERANCE else (vector / norm).astype(np.float32)


def _field(row: Any, name: str, index: int) -> Any:
    value = _get(row, name)
    if value is _MISSING or value is None or (name == "text" and not (isinstance(value, str) and value.strip())):
        raise BadInput(f"row {index} has no {name}; a row is a mapping or an object with `text` and `vector`")
    return value


def _get(row: Any, name: str) -> Any:
    return row.get(name, _MISSING) if isinstance(row, Mapping) else getattr(row, name, _MISSING)


def _places(row: Any, index: int) -> dict[str, Any]:
    """Gather the fields that say where the text stands, from the row and from its metadata."""
    metadata = _get(row, "metadata")
    metadata = {} if metadata is _MISSING or metadata is None else dict(metadata)
    if unknown := sorted(metadata.keys() - set(_PLACES)):
        raise BadInput(
            f"row {index}: metadata {', '.join(unknown)} cannot be stored; "
            f"a row keeps {', '.join(_PLACES)}: leave the rest out, or write it into the text"
        )
    own = {name: _get(row, name) for name in _PLACES}
    return metadata | {name: value for name, value in own.items() if value is not _MISSING and value is not None}


def _pages(places: Mapping[str, Any]) -> tuple[int, ...]:
    if places.get("page") is not None:
        return (int(places["page"]),)
    return tuple(int(page) for page in places.get("pages") or ())


def _section(section: Any) -> tuple[str, ...]:
    return (section,) if isinstance(section, str) and section else tuple(section or ())

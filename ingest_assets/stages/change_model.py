"""A space of a store in, another space with the same files and another model's vectors out; nothing is parsed again.

Searches use the old space meanwhile; whoever calls this makes the new one the space in use when a pass finds nothing
left to do. Killed at any point, the next pass goes on with the files that are not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Chunk
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stages.validate import Kept, owners_of
from ingest_assets.stores.contract import StoreEditing, StoreReading


@dataclass(frozen=True, slots=True)
class Built:
    """One file in the new space."""

    file_id: str
    chunks: int
    changed: bool
    """False where it stood there already as it is."""


def build_beside(
    old: StoreReading,
    new: StoreEditing,
    *,
    kept: Kept,
    embedder: Embedder,
    fingerprint_of: Callable[[FileRecord], str],
    in_use: bool = False,
) -> Iterator[Built]:
    """Bring the new space up to date with the old one, file by file; what the old one no longer has goes.

    Once the new space is in use (`in_use`), only what the old one got later is brought over, and nothing goes.
    `fingerprint_of` gives the fingerprint of a file that is up to date under the new model; empty where it is not.

    Raises:
        OutsideError: the store or the embedder is away, or rows of a file are damaged.
    """
    for file_id in owners_of(old):
        record, there = old.file(file_id), new.file(file_id)
        if record is None:
            continue
        stands = there is not None and (
            there.updated_at >= record.updated_at if in_use else _source(there) == _source(record)
        )
        if there is not None and stands:
            yield Built(file_id, there.chunks, changed=False)
        else:
            yield _build(replace(record, fingerprint=fingerprint_of(record)), old, new, kept=kept, embedder=embedder)
    for file_id in () if in_use else owners_of(new):
        if old.file(file_id) is None:
            new.delete(file_id)
            yield Built(file_id, 0, changed=True)


def _build(record: FileRecord, old: StoreReading, new: StoreEditing, *, kept: Kept, embedder: Embedder) -> Built:
    if not record.generation:
        return Built(record.file_id, new.note(record).chunks, changed=True)
    known = partial(new.vectors_for, embedder.model)
    try:
        built = new.replace(record, embed(_chunks(old, record, kept), embedder=embedder, known=known))
    except ValueError as error:
        raise OutsideError(f"{error}; run `ingest validate` and `ingest repair` first") from error
    return Built(record.file_id, built.chunks, changed=True)


def _chunks(old: StoreReading, record: FileRecord, kept: Kept) -> Iterable[Chunk]:
    """The chunks that are in force: the kept ones, but for duplicates that were taken out; else those of the rows."""
    chunks = kept(record) if not record.duplicates else None
    return chunks if chunks is not None else (row.chunk for row in old.rows(record.file_id) if row.in_force)


def _source(record: FileRecord) -> tuple[object, ...]:
    """What a file's chunks come from, and its last attempt."""
    return record.version, record.sha256, record.state, record.duplicates, record.size_bytes, record.updated_at

"""A space of a store in, another space with the same files and another model's vectors out; nothing is parsed again.

Searches use the old space meanwhile; whoever calls this makes the new one the space in use when a pass finds nothing
left to do. Killed at any point, the next pass goes on with the files that are not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ingest_assets.records import Chunk
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stages.validate import Kept
from ingest_assets.stored import FileRecord
from ingest_assets.stores.contract import VectorStore


@dataclass(frozen=True, slots=True)
class Built:
    """One file in the new space."""

    file_id: str
    chunks: int
    changed: bool
    """False where it stood there already as it is."""


def build_beside(
    old: VectorStore,
    new: VectorStore,
    *,
    kept: Kept,
    embedder: Embedder,
    fingerprint_of: Callable[[FileRecord], str],
    page: int = 1000,
) -> Iterator[Built]:
    """Bring the new space up to date with the old one, file by file; what the old one no longer has goes.

    `fingerprint_of` gives the fingerprint of a file that is up to date under the new model; empty where it is not.

    Raises:
        OutsideError: the store or the embedder is away.
    """
    for file_id in _owners(old, page=page):
        record, there = old.file(file_id), new.file(file_id)
        if record is None:
            continue
        if there is not None and _source(there) == _source(record):
            yield Built(file_id, there.chunks, changed=False)
            continue
        record = replace(record, fingerprint=fingerprint_of(record))
        if record.generation:
            chunks = embed(
                _chunks(old, record, kept), embedder=embedder, known=partial(new.vectors_for, embedder.model)
            )
            record = new.replace(record, chunks)
        else:
            record = new.note(record)
        yield Built(file_id, record.chunks, changed=True)
    for file_id in _owners(new, page=page):
        if old.file(file_id) is None:
            new.delete(file_id)
            yield Built(file_id, 0, changed=True)


def _owners(store: VectorStore, *, page: int) -> Iterator[str]:
    after = ""
    while owners := store.owners(after=after, limit=page):
        yield from owners
        after = owners[-1]


def _chunks(old: VectorStore, record: FileRecord, kept: Kept) -> Iterable[Chunk]:
    """The chunks that are in force: the kept ones, but for duplicates that were taken out; else those of the rows."""
    chunks = kept(record) if not record.duplicates else None
    return chunks if chunks is not None else (row.chunk for row in old.rows(record.file_id) if row.in_force)


def _source(record: FileRecord) -> tuple[object, ...]:
    """What a file's chunks come from, and its last attempt."""
    return record.version, record.sha256, record.state, record.chunks, record.duplicates, record.updated_at

"""A store in, everything in it in another store out, file by file; no vector is computed again.

A file's record is written last, so a file whose record is the same on both sides has been copied whole: a second call
goes on where the first one stopped, and costs one look per file where nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest_assets.errors import OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stored import FileRecord, Flags
from ingest_assets.stores.contract import VectorStore


@dataclass(frozen=True, slots=True)
class Moved:
    """One file on the other side."""

    file_id: str
    chunks: int
    copied: bool
    """False where it was there already."""


def migrate(source: VectorStore, target: VectorStore, *, page: int = 1000) -> Iterator[Moved]:
    """Copy every file of the source that the target does not hold as it is there; leave the target's others alone.

    Raises:
        OutsideError: a store is away, or rows of a file are damaged in the source: `ingest repair` mends them.
    """
    after = ""
    while owners := source.owners(after=after, limit=page):
        for file_id in owners:
            record = source.file(file_id)
            if record is not None:  # rows that belong to no file are nobody's to move
                yield _move(record, source, target)
        after = owners[-1]


def _move(record: FileRecord, source: VectorStore, target: VectorStore) -> Moved:
    if _as_kept(target.file(record.file_id)) == _as_kept(record):
        return Moved(record.file_id, record.chunks, copied=False)
    flags: dict[str, Flags] = {}
    if record.generation:
        copied = target.replace(record, _embedded(record, source, flags))
        if copied.chunks != record.chunks:
            raise OutsideError(
                f"{record.file_id}: {copied.chunks} of {record.chunks} chunks are in force in the source; "
                "run `ingest validate` and `ingest repair` on it first"
            )
    if flags:
        names = {row.chunk.chunk_id: row.name for row in target.rows(record.file_id) if row.in_force}
        target.flag(record.file_id, {names[chunk_id]: each for chunk_id, each in flags.items()})
    target.note(record)  # with the counts and costs of the run that made it
    return Moved(record.file_id, record.chunks, copied=True)


def _embedded(record: FileRecord, source: VectorStore, flags: dict[str, Flags]) -> Iterator[EmbeddedChunk]:
    """Yield the rows in force; note their flags on the way."""
    for row in source.rows(record.file_id):
        if not row.in_force:
            continue
        if row.vector is None:
            raise OutsideError(f"{record.file_id}: row {row.name} has no vector; run `ingest repair` on the source")
        if row.flags is not None:
            flags[row.chunk.chunk_id] = row.flags
        yield EmbeddedChunk(chunk=row.chunk, vector=row.vector, model=row.model, reused=True)


def _as_kept(record: FileRecord | None) -> FileRecord | None:
    """A record but for the generation, which each store counts by itself."""
    return record and replace(record, generation=0)

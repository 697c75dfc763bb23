"""Copy everything from one store to another, file by file, with the vectors as they are.

A file's record gets the bucket's version last, so a file whose record is the same on both sides has been copied
completely. A second call continues where the first one stopped, and only compares records if nothing is left to copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord, Flags
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stages.upkeep.validate import owners_of
from ingest_assets.stores.contract import StoreEditing, StoreReading

_TRIES = 5
"""Tries to copy a file that is published again meanwhile."""
HALF_COPIED = "being copied"
"""Version of a record whose flags and costs are not there yet."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One file on the other side."""

    file_id: str
    chunks: int
    copied: bool
    """False if it was there already."""


def migrate(source: StoreReading, target: StoreEditing) -> Iterator[Moved]:
    """Copy every file of the source that is missing or different in the target; do not touch the target's other files.

    Raises:
        OutsideError: a store is away, or rows of a file are damaged in the source: `ingest repair` repairs them.
    """
    for file_id in owners_of(source):
        record = source.file(file_id)
        if record is None:  # rows that belong to no file are not copied
            continue
        if _as_kept(target.file(file_id)) == _as_kept(record):
            yield Moved(file_id, record.chunks, copied=False)
        else:
            yield _move(record, source, target)


def _move(record: FileRecord, source: StoreReading, target: StoreEditing) -> Moved:
    for _ in range(_TRIES):
        copy_file(record, source, target)
        now = source.file(record.file_id)
        if now is None:
            target.delete(record.file_id)
            return Moved(record.file_id, 0, copied=True)
        if now == record:
            return Moved(record.file_id, record.chunks, copied=True)
        record = now
    raise OutsideError(f"{record.file_id}: it was published {_TRIES} times while it was copied; run it again")


def copy_file(
    record: FileRecord, source: StoreReading, target: StoreEditing, *, named: FileRecord | None = None
) -> None:
    """Copy a file's rows in force, their flags and its record; `named` is the record that the copy gets.

    Raises:
        OutsideError: a store is away, or rows of the file are damaged.
    """
    flags: dict[str, Flags] = {}
    named = named or record
    if record.generation:
        rows = _embedded(record, source, flags, file_id=named.file_id)
        try:
            copied = target.replace(replace(named, version=HALF_COPIED), rows)
        except ValueError as error:
            raise _damaged(record, str(error)) from error
        now = source.file(record.file_id)
        if copied.chunks != record.chunks and now == record:
            raise _damaged(record, f"{copied.chunks} of {record.chunks} chunks are in force in the source")
    if flags:
        names = {row.chunk.chunk_id: row.name for row in target.rows(named.file_id) if row.in_force}
        target.flag(named.file_id, {names[chunk_id]: each for chunk_id, each in flags.items()})
    target.note(named)  # with the counts and costs of the run that made it


def _embedded(
    record: FileRecord, source: StoreReading, flags: dict[str, Flags], *, file_id: str
) -> Iterator[EmbeddedChunk]:
    """Yield the rows in force; note their flags on the way."""
    for row in source.rows(record.file_id):
        if not row.in_force:
            continue
        if row.vector is None:
            raise _damaged(record, f"row {row.name} has no vector")
        if row.flags is not None:
            flags[row.chunk.chunk_id] = row.flags
        yield EmbeddedChunk(replace(row.chunk, file_id=file_id), vector=row.vector, model=row.model, reused=True)


def _damaged(record: FileRecord, what: str) -> OutsideError:
    return OutsideError(f"{record.file_id}: {what}; run `ingest validate` and `ingest repair` on the source first")


def _as_kept(record: FileRecord | None) -> FileRecord | None:
    """Return a record without its generation, which each store counts by itself."""
    return record and replace(record, generation=0)

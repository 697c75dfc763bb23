"""Build a second space of a store with the same files and another model's vectors; nothing is parsed again.

Searches use the old space meanwhile; the caller switches to the new one when a pass finds nothing left to do. After a
kill at any point, the next pass goes on with the files that are not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import Chunk
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stages.upkeep.validate import Kept, owners_of
from ingest_assets.stores.contract import StoreEditing, StoreReading

_PASSES = 20
"""Passes over all files; the first one builds them. With a bucket that is filled all the time it would never end."""


@dataclass(frozen=True, slots=True)
class Built:
    """One file in the new space."""

    file_id: str
    chunks: int
    changed: bool
    """False if it was there already."""


@dataclass(slots=True)
class BuildPass:
    """What one pass over all files found in the new space."""

    files: int = 0
    chunks: int = 0
    changed: int = 0
    """Files that had to be built or removed."""


def build_until_done(one_pass: Callable[[], BuildPass]) -> None:
    """Repeat a pass until one finds nothing left to do.

    Raises:
        OutsideError: files change faster than they are built.
    """
    for _ in range(_PASSES):
        if not one_pass().changed:
            return
    raise OutsideError(f"files changed during each of {_PASSES} passes; run it again at a quieter time")


def sum_up(built: Iterable[Built], *, show: Callable[[Built], None]) -> BuildPass:
    """Count a pass while it goes on, showing each file."""
    done = BuildPass()
    for one in built:
        show(one)
        done.files += 1
        done.chunks += one.chunks
        done.changed += one.changed
    return done


def build_beside(
    old: StoreReading,
    new: StoreEditing,
    *,
    kept: Kept,
    embedder: Embedder,
    fingerprint_of: Callable[[FileRecord], str],
    in_use: bool = False,
) -> Iterator[Built]:
    """Bring the new space up to date with the old one, file by file; remove files that the old one no longer has.

    Once the new space is in use (`in_use`), only what the old one got later is copied, and nothing is removed.
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
    """Return the chunks in force: the kept ones, or the rows if none are kept or duplicates were removed."""
    chunks = kept(record) if not record.duplicates else None
    return chunks if chunks is not None else (row.chunk for row in old.rows(record.file_id) if row.in_force)


def _source(record: FileRecord) -> tuple[object, ...]:
    """Return what a file's chunks depend on, and when its last attempt was."""
    return record.version, record.sha256, record.state, record.duplicates, record.size_bytes, record.updated_at

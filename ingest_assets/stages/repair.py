"""What was found of a file in, the file mended out: its rows are its chunks again; only what is missing is embedded.

Rows that are damaged are taken out first and then written anew, so a search may miss them for the moment in between; it
never sees a damaged one in their stead. Killed at any point, the next `validate` finds what is left and a second
`repair` goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.records import Chunk
from ingest_assets.soundness import fault
from ingest_assets.stages.embed import Embedder, embed
from ingest_assets.stages.validate import Examined, Kept, Problem
from ingest_assets.stored import FileRecord, Origin, State
from ingest_assets.stores.contract import VectorStore

if TYPE_CHECKING:
    from ingest_assets.records import Vector

RESCUED = 10_000
"""Vectors of rows with damaged metadata that are held while the rows are written anew; 15 MB at 384 dimensions."""
_WINDOW = 256

_TEXT_IS_LOST = {Problem.MISSING, Problem.NO_CHUNKS, Problem.MISCOUNTED, Problem.WRONG_HASH, Problem.DIFFERENT}
"""What the rows alone cannot mend."""


class Action(StrEnum):
    """What mends a file."""

    NOTHING = "nothing to mend"
    DELETE = "remove rows that belong to no file"
    SWEEP = "remove rows of no generation in force"
    REBUILD = "write the rows anew from the kept chunks"
    REWRITE = "write the rows anew from what is sound in them"
    READ_AGAIN = "have the file read again: its chunks are not kept"


@dataclass(frozen=True, slots=True)
class Repair:
    """What mends one file, and what that takes."""

    file_id: str
    action: Action
    findings: int
    removed: int = 0
    """Rows taken out."""
    embedded: int = 0
    """Chunks that had no sound vector in the store."""


def plan(examined: Examined, *, kept: Kept) -> Repair:
    """Say what would mend a file; change nothing."""
    return Repair(examined.file_id, _action(examined, kept=kept), len(examined.findings))


def repair(examined: Examined, *, store: VectorStore, kept: Kept, embedder: Embedder) -> Repair:
    """Mend a file.

    Raises:
        OutsideError: the store or the embedder is away, or the file is being published.
    """
    done = plan(examined, kept=kept)
    record = examined.record
    if record is None:
        return replace(done, removed=store.delete(examined.file_id)) if done.action is Action.DELETE else done
    if done.action is Action.READ_AGAIN:
        store.note(_to_be_read_again(record))
        return done
    if done.action is Action.NOTHING:
        return done
    names = list(dict.fromkeys(finding.row for finding in examined.findings if finding.row))
    if done.action is Action.SWEEP:
        return replace(done, removed=store.remove_rows(record.file_id, names))
    return _write_anew(record, names, done, store=store, kept=kept, embedder=embedder)


def _action(examined: Examined, *, kept: Kept) -> Action:
    record, problems = examined.record, {finding.problem for finding in examined.findings}
    if not problems:
        return Action.NOTHING
    if record is None:
        return Action.DELETE
    if problems == {Problem.STALE}:
        return Action.SWEEP
    if Problem.KEPT_DAMAGED in problems:
        return Action.READ_AGAIN
    if kept(record) is not None:
        return Action.REBUILD
    if problems & _TEXT_IS_LOST and record.origin is Origin.BUCKET:
        return Action.READ_AGAIN
    return Action.REWRITE


def _write_anew(
    record: FileRecord, names: Sequence[str], done: Repair, *, store: VectorStore, kept: Kept, embedder: Embedder
) -> Repair:
    rescued = dict(islice(_sound_vectors(store, record, set(names), model=embedder.model), RESCUED))
    # From the rows: their texts are read before any row goes, so they are held; a document's text is some megabytes.
    chunks: Iterable[Chunk] | None = kept(record) if done.action is Action.REBUILD else None
    if chunks is None:
        chunks = list(_sound_chunks(store, record))

    def known(text_sha256s: Sequence[str]) -> Mapping[str, Vector]:
        there = store.vectors_for(embedder.model, text_sha256s)
        return there | {each: rescued[each] for each in text_sha256s if each in rescued}

    removed = store.remove_rows(record.file_id, names)
    mended = store.replace(replace(record, duplicates=0), embed(chunks, embedder=embedder, known=known, window=_WINDOW))
    return replace(done, removed=removed, embedded=mended.embedded)


def _sound_vectors(
    store: VectorStore, record: FileRecord, names: set[str], *, model: str
) -> Iterator[tuple[str, Vector]]:
    """Yield text hash and vector of damaged rows whose vector is sound and is that of their text."""
    for row in store.rows(record.file_id):
        if row.name not in names or row.model != model or row.vector is None or not row.chunk.text_is_whole:
            continue
        if fault(row.vector, dimension=record.dimension) is None:
            yield row.chunk.text_sha256, row.vector


def _sound_chunks(store: VectorStore, record: FileRecord) -> Iterator[Chunk]:
    """Yield each chunk in force once, whose text is what its hash says."""
    seen: set[str] = set()
    for row in store.rows(record.file_id):
        if row.in_force and row.chunk.chunk_id not in seen and row.chunk.text_is_whole:
            seen.add(row.chunk.chunk_id)
            yield row.chunk


def _to_be_read_again(record: FileRecord) -> FileRecord:
    """An entry of which the sensor sees that the bucket has another version than was tried last."""
    return replace(
        record,
        state=State.FAILED,
        version="",
        fingerprint="",
        error=f"{record.key}: rows of it are damaged and its chunks are not kept here; it will be read again",
    )

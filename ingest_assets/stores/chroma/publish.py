"""A record and its embedded chunks in, a new generation in force out: how a file's rows change in Chroma.

Chroma has no transactions, so each write leaves a store that can be read:

1. what an earlier attempt left behind is undone;
2. rows of chunks that are the same stay untouched, the others are written with `since` = the new generation, which no
   reader sees yet; rows that go get `until` = the new generation, which no reader minds yet;
3. the rows are counted in the store;
4. the ledger entry gets the new generation, in one write: now every reader sees the new rows and none of the old;
5. the rows that went are deleted.

Killed before 4 the old generation is in force, after it the new one; what is left over is invisible either way.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingest_assets.batches import batches
from ingest_assets.ledger_records import FileRecord, utc_text
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.chroma.access import Turns, ledger_entry, write_entry
from ingest_assets.stores.chroma.read import row_names
from ingest_assets.stores.chroma.rows import OPEN, Entry, chunk_row, in_force, parts_of, row_id
from ingest_assets.stores.contract import ChunkKnown, Overtaken, require_generation
from ingest_assets.vectors import fault, refuse_unsound

BATCH = 500
"""Rows per write: below Chroma's 5,461; readers of an embedded store wait for one batch, a quarter of a second."""


@dataclass(slots=True)
class _Attempt:
    """What is known of one publication while it is written: ids, never rows."""

    record: FileRecord
    """As it will be kept."""
    before: Entry | None
    going: dict[str, str] = field(default_factory=dict)
    """Row ids of the generation in force that the new one has not asked for yet, by chunk id."""
    seen: set[str] = field(default_factory=set)
    """Chunk ids that have come so far."""
    written: int = 0
    reused: int = 0
    first_position: int = 0
    """Place in the document of the first chunk that comes."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A chunk with the id of the row that would hold it, and its place in the document."""

    name: str
    position: int
    embedded: EmbeddedChunk


def publish_generation(
    turns: Turns,
    record: FileRecord,
    chunks: Iterable[EmbeddedChunk],
    *,
    expecting: int | None,
    rewrite: Collection[str],
) -> FileRecord:
    """Make these chunks the file's only ones. The caller owns the file's rows."""
    attempt = _begin(turns, record, expecting=expecting, rewrite=rewrite)
    _write_new(turns, attempt, chunks)
    going = list(attempt.going.values())
    _close_rows(turns, going, until=attempt.record.generation)
    _count(turns, attempt)
    kept = _commit(turns, attempt, chunks=len(attempt.seen))
    remove_rows(turns, going)
    return kept


def add_generation(turns: Turns, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
    """Put chunks beside the file's own: a generation in which no row goes. The caller owns the file's rows."""
    attempt = _begin(turns, record)
    there = dict(attempt.going)
    attempt.first_position = len(there)
    if there and attempt.before is not None:
        old = attempt.before.record
        attempt.record = replace(attempt.record, model=old.model, dimension=old.dimension)
    _write_new(turns, attempt, _refusing(chunks, there, file_id=record.file_id))
    _count(turns, attempt)
    return _commit(turns, attempt, chunks=len(there) + len(attempt.seen))


def _refusing(chunks: Iterable[EmbeddedChunk], there: Mapping[str, str], *, file_id: str) -> Iterator[EmbeddedChunk]:
    for embedded in chunks:
        if embedded.chunk.chunk_id in there:
            raise ChunkKnown(f"{file_id}: there is a chunk {embedded.chunk.chunk_id} already")
        yield embedded


def _write_new(turns: Turns, attempt: _Attempt, chunks: Iterable[EmbeddedChunk]) -> None:
    waiting: list[_Named] = []
    for batch in batches(chunks, BATCH):
        waiting += _new_rows(turns, attempt, batch)
        if len(waiting) >= BATCH:  # a write costs some 20 ms however small: ten changes in a long file are one
            _write(turns, attempt, waiting)
            waiting = []
    _write(turns, attempt, waiting)


def _begin(
    turns: Turns, record: FileRecord, *, expecting: int | None = None, rewrite: Collection[str] = ()
) -> _Attempt:
    """Undo what an earlier attempt left, and note which rows are in force."""
    before = ledger_entry(turns, record.file_id)
    require_generation(record.file_id, before.record if before and not before.gone else None, expecting=expecting)
    generation = before.generation if before else 0
    attempt = _Attempt(record=replace(record, generation=generation + 1), before=before)
    with turns.reading() as store:
        names = row_names(store, record.file_id)
        closed = {"$and": [{"file_id": record.file_id}, {"until": {"$lt": OPEN}}]}
        found = store.chunks.get(where=closed, include=["metadatas"])
    untils = {name: row["until"] for name, row in zip(found["ids"], found["metadatas"] or (), strict=True)}
    stray = []
    for name in names:
        row = {"since": parts_of(name)[2], "until": untils.get(name, OPEN)}
        if in_force(row, before):
            chunk_id = parts_of(name)[0]
            # A second row of a chunk goes too; under its own name, which no chunk asks for.
            attempt.going[name if name in rewrite or chunk_id in attempt.going else chunk_id] = name
        else:
            stray.append(name)
    remove_rows(turns, stray)
    _close_rows(turns, [name for name in attempt.going.values() if name in untils], until=OPEN)
    return attempt


def _new_rows(turns: Turns, attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> list[_Named]:
    """Return what of a batch has no row yet, and leave alone what has one."""
    named = _checked(attempt, batch)
    broken = _broken(turns, attempt, named)
    new = []
    for each in named:
        there = attempt.going.get(each.embedded.chunk.chunk_id, "")
        if there and there not in broken and parts_of(there)[:2] == parts_of(each.name)[:2]:
            del attempt.going[each.embedded.chunk.chunk_id]
        else:
            new.append(each)
    return new


def _write(turns: Turns, attempt: _Attempt, rows: Sequence[_Named]) -> None:
    created = utc_text()
    for batch in batches(rows, BATCH):
        with turns.writing() as store:
            store.chunks.add(
                ids=[each.name for each in batch],
                embeddings=[each.embedded.vector for each in batch],
                metadatas=[
                    chunk_row(each.embedded, attempt.record, position=each.position) | {"created": created}
                    for each in batch
                ],
                documents=[each.embedded.chunk.text for each in batch],
            )
    attempt.written += len(rows)


def _checked(attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> list[_Named]:
    """Name the rows of a batch with their places in the document; raise ValueError where a chunk is not fit."""
    named = []
    for embedded in batch:
        chunk, position = embedded.chunk, attempt.first_position + len(attempt.seen)
        if position == 0:
            attempt.record = replace(attempt.record, model=embedded.model, dimension=embedded.vector.size)
        refuse_unsound(embedded, dimension=attempt.record.dimension)
        if chunk.file_id != attempt.record.file_id:
            raise ValueError(f"{attempt.record.file_id}: chunk {chunk.chunk_id} belongs to {chunk.file_id}")
        if embedded.model != attempt.record.model:
            raise ValueError(f"{chunk.file_id}: vectors of {attempt.record.model} and {embedded.model} in one file")
        if chunk.chunk_id in attempt.seen:
            raise ValueError(f"{chunk.file_id}: two chunks share the id {chunk.chunk_id}, the second at {position}")
        attempt.seen.add(chunk.chunk_id)
        attempt.reused += embedded.reused
        named.append(_Named(row_id(embedded, attempt.record, position=position), position, embedded))
    return named


def _broken(turns: Turns, attempt: _Attempt, named: Sequence[_Named]) -> set[str]:
    """Find rows that would do but for their vectors, so that a chunk embedded anew heals its row."""
    anew = [each.embedded.chunk.chunk_id for each in named if not each.embedded.reused]
    ids = [attempt.going[chunk_id] for chunk_id in anew if chunk_id in attempt.going]
    if not ids:
        return set()
    with turns.reading() as store:
        found = store.chunks.get(ids=ids, include=["embeddings"])
    vectors = found["embeddings"] if found["embeddings"] is not None else ()
    dimension = attempt.record.dimension
    return {name for name, vector in zip(found["ids"], vectors, strict=True) if fault(vector, dimension=dimension)}


def _count(turns: Turns, attempt: _Attempt) -> None:
    """Raise OutsideError unless the store holds what it was given."""
    record = attempt.record
    with turns.reading() as store:
        names = row_names(store, record.file_id)
    new = sum(parts_of(name)[2] == record.generation for name in names)
    wanted = len(attempt.seen) + len(attempt.going)
    if len(names) != wanted or new != attempt.written:
        raise Overtaken(
            f"{record.file_id}: {turns.location} holds {len(names)} rows with {new} of generation {record.generation}, "
            f"not {wanted} with {attempt.written}; is another host publishing this file? Run it again"
        )


def _commit(turns: Turns, attempt: _Attempt, *, chunks: int) -> FileRecord:
    embedded = len(attempt.seen) - attempt.reused
    record = replace(attempt.record, chunks=chunks, embedded=embedded, reused=attempt.reused)
    now = ledger_entry(turns, record.file_id)
    if (now and now.token) != (attempt.before and attempt.before.token):
        raise Overtaken(f"{record.file_id}: another attempt was published at {turns.location} meanwhile; run again")
    write_entry(turns, Entry(record=record, token=secrets.token_hex(8), gone=False), known=now is not None)
    return record


def _close_rows(turns: Turns, names: Sequence[str], *, until: int) -> None:
    for ids in batches(names, BATCH):
        with turns.writing() as store:
            store.chunks.update(ids=ids, metadatas=[{"until": until}] * len(ids))


def remove_rows(turns: Turns, ids: Sequence[str]) -> None:
    """Delete chunk rows."""
    for batch in batches(ids, BATCH):
        with turns.writing() as store:
            store.chunks.delete(ids=list(batch))

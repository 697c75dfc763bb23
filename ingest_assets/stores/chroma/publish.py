"""Change a file's rows in Chroma: write a new generation beside the old one, then bring it into force.

Chroma has no transactions, so each write leaves a store that can be read:

1. rows that an interrupted publication left are removed;
2. rows of chunks that are the same stay as they are. The others are written with `since` = the new generation, which no
   reader sees yet. Rows to be removed get `until` = the new generation, which has no effect yet;
3. the rows are counted in the store;
4. the ledger entry gets the new generation, in one write: now every reader sees the new rows and none of the old;
5. the rows to be removed are deleted.

Killed before 4 the old generation is in force, after it the new one. Remaining rows are invisible in both cases.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import FileRecord, utc_text
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.chroma.ledger import ledger_entry, write_entry
from ingest_assets.stores.chroma.read import row_names
from ingest_assets.stores.chroma.rows import OPEN, ChromaEntry, chunk_row, in_force, parts_of, row_id
from ingest_assets.stores.contract import ChunkKnown, Overtaken, require_generation
from ingest_assets.stores.incoming import IncomingChunks
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.access import ChromaAccess

BATCH = 500
"""Rows per write: below Chroma's 5,461; readers of an embedded store wait for one batch, a quarter of a second."""


@dataclass(slots=True)
class _Publication:
    """The state of one publication while it is written: ids, never rows."""

    incoming: IncomingChunks
    before: ChromaEntry | None
    outgoing: dict[str, str] = field(default_factory=dict)
    """Row ids of the generation in force whose chunk has not arrived again yet, by chunk id."""
    written: int = 0
    first_position: int = 0
    """Place in the document of the first chunk that arrives."""

    @property
    def record(self) -> FileRecord:
        """The record as it will be kept, except for its counts."""
        return self.incoming.record


@dataclass(frozen=True, slots=True)
class _NamedChunk:
    """A chunk, the id that its row would have, and its place in the document."""

    name: str
    position: int
    embedded: EmbeddedChunk


def publish_generation(
    access: ChromaAccess,
    record: FileRecord,
    chunks: Iterable[EmbeddedChunk],
    *,
    expecting: int | None,
    rewrite: Collection[str],
) -> FileRecord:
    """Make these chunks the file's only ones. The caller holds the lock of the file."""
    publication = _begin(access, record, expecting=expecting, rewrite=rewrite)
    _write_new(access, publication, chunks)
    outgoing = list(publication.outgoing.values())
    _close_rows(access, outgoing, until=publication.record.generation)
    _count(access, publication)
    kept = _commit(access, publication, chunks=len(publication.incoming.seen))
    remove_rows(access, outgoing)
    return kept


def add_generation(access: ChromaAccess, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
    """Put chunks beside the file's own: a generation that removes no row. The caller holds the lock of the file."""
    publication = _begin(access, record)
    there = dict(publication.outgoing)
    publication.first_position = len(there)
    if there and publication.before is not None:
        publication.incoming = IncomingChunks(publication.record, beside=publication.before.record)
    _write_new(access, publication, _refusing(chunks, there, file_id=record.file_id))
    _count(access, publication)
    return _commit(access, publication, chunks=len(there) + len(publication.incoming.seen))


def _refusing(chunks: Iterable[EmbeddedChunk], there: Mapping[str, str], *, file_id: str) -> Iterator[EmbeddedChunk]:
    for embedded in chunks:
        if embedded.chunk.chunk_id in there:
            raise ChunkKnown(f"{file_id}: there is a chunk {embedded.chunk.chunk_id} already")
        yield embedded


def _write_new(access: ChromaAccess, publication: _Publication, chunks: Iterable[EmbeddedChunk]) -> None:
    waiting: list[_NamedChunk] = []
    for batch in batches(chunks, BATCH):
        waiting += _new_rows(access, publication, batch)
        if len(waiting) >= BATCH:  # a write of any size costs some 20 ms: ten changes in a long file are one
            _write(access, publication, waiting)
            waiting = []
    _write(access, publication, waiting)


def _begin(
    access: ChromaAccess, record: FileRecord, *, expecting: int | None = None, rewrite: Collection[str] = ()
) -> _Publication:
    """Remove what an interrupted publication left, and list the rows in force."""
    before = ledger_entry(access, record.file_id)
    require_generation(record.file_id, before.record if before and not before.gone else None, expecting=expecting)
    generation = before.generation if before else 0
    incoming = IncomingChunks(replace(record, generation=generation + 1))
    publication = _Publication(incoming, before=before)
    with access.reading() as store:
        names = row_names(store, record.file_id)
        closed = {"$and": [{"file_id": record.file_id}, {"until": {"$lt": OPEN}}]}
        found = store.chunks.get(where=closed, include=["metadatas"])
    untils = {name: row["until"] for name, row in zip(found["ids"], found["metadatas"] or (), strict=True)}
    stray = []
    for name in names:
        row = {"since": parts_of(name)[2], "until": untils.get(name, OPEN)}
        if in_force(row, before):
            chunk_id = parts_of(name)[0]
            # A second row of a chunk is removed too: it is listed by its own name, which no chunk id equals.
            publication.outgoing[name if name in rewrite or chunk_id in publication.outgoing else chunk_id] = name
        else:
            stray.append(name)
    remove_rows(access, stray)
    _close_rows(access, [name for name in publication.outgoing.values() if name in untils], until=OPEN)
    return publication


def _new_rows(access: ChromaAccess, publication: _Publication, batch: Sequence[EmbeddedChunk]) -> list[_NamedChunk]:
    """Return the chunks of a batch that have no row yet; rows of the others stay."""
    named = _named(publication, batch)
    broken = _broken(access, publication, named)
    new = []
    for each in named:
        there = publication.outgoing.get(each.embedded.chunk.chunk_id, "")
        if there and there not in broken and parts_of(there)[:2] == parts_of(each.name)[:2]:
            del publication.outgoing[each.embedded.chunk.chunk_id]
        else:
            new.append(each)
    return new


def _write(access: ChromaAccess, publication: _Publication, rows: Sequence[_NamedChunk]) -> None:
    created = utc_text()
    for batch in batches(rows, BATCH):
        with access.writing() as store:
            store.chunks.add(
                ids=[each.name for each in batch],
                embeddings=[each.embedded.vector for each in batch],
                metadatas=[
                    chunk_row(each.embedded, publication.record, position=each.position) | {"created": created}
                    for each in batch
                ],
                documents=[each.embedded.chunk.text for each in batch],
            )
    publication.written += len(rows)


def _named(publication: _Publication, batch: Sequence[EmbeddedChunk]) -> list[_NamedChunk]:
    """Check a batch, and give each chunk its place in the document and the name of its row."""
    start = publication.first_position + len(publication.incoming.seen)
    publication.incoming.check(batch)
    record = publication.record
    return [
        _NamedChunk(row_id(embedded, record, position=position), position, embedded)
        for position, embedded in enumerate(batch, start)
    ]


def _broken(access: ChromaAccess, publication: _Publication, named: Sequence[_NamedChunk]) -> set[str]:
    """Find rows whose vector is damaged, so that a chunk that was embedded again replaces its row."""
    anew = [each.embedded.chunk.chunk_id for each in named if not each.embedded.reused]
    ids = [publication.outgoing[chunk_id] for chunk_id in anew if chunk_id in publication.outgoing]
    if not ids:
        return set()
    with access.reading() as store:
        found = store.chunks.get(ids=ids, include=["embeddings"])
    vectors = found["embeddings"] if found["embeddings"] is not None else ()
    dimension = publication.record.dimension
    return {name for name, vector in zip(found["ids"], vectors, strict=True) if fault(vector, dimension=dimension)}


def _count(access: ChromaAccess, publication: _Publication) -> None:
    """Raise OutsideError unless the store holds what it was given."""
    record = publication.record
    with access.reading() as store:
        names = row_names(store, record.file_id)
    new = sum(parts_of(name)[2] == record.generation for name in names)
    wanted = len(publication.incoming.seen) + len(publication.outgoing)
    if len(names) != wanted or new != publication.written:
        raise Overtaken(
            f"{record.file_id}: {access.location} holds {len(names)} rows, {new} of generation {record.generation}, "
            f"not {wanted} with {publication.written}; is another host publishing this file? Run it again"
        )


def _commit(access: ChromaAccess, publication: _Publication, *, chunks: int) -> FileRecord:
    record = publication.incoming.counted(chunks)
    now = ledger_entry(access, record.file_id)
    if (now and now.token) != (publication.before and publication.before.token):
        raise Overtaken(
            f"{record.file_id}: another publication came into force at {access.location} in the meantime; run again"
        )
    write_entry(access, ChromaEntry(record=record, token=secrets.token_hex(8), gone=False), known=now is not None)
    return record


def _close_rows(access: ChromaAccess, names: Sequence[str], *, until: int) -> None:
    for ids in batches(names, BATCH):
        with access.writing() as store:
            store.chunks.update(ids=ids, metadatas=[{"until": until}] * len(ids))


def remove_rows(access: ChromaAccess, ids: Sequence[str]) -> None:
    """Delete chunk rows."""
    for batch in batches(ids, BATCH):
        with access.writing() as store:
            store.chunks.delete(ids=list(batch))

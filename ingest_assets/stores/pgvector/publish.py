"""A record and its embedded chunks in, a new generation in force out: one transaction, seen whole or not at all.

The rows that are there are compared with what comes, batch by batch: a chunk that is the same is not sent, one that
only moved gets its new place and keeps its vector, the others are copied in. What did not come again is deleted, the
rows are counted, and the record is written last. Only ids are held, so a document of any length takes the same memory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from ingest_assets.batches import batches
from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.contract import ChunkKnown, require_generation
from ingest_assets.stores.pgvector.client import Client
from ingest_assets.stores.pgvector.errors import another_length
from ingest_assets.stores.pgvector.ledger import entry_of, write_entry
from ingest_assets.stores.pgvector.rows import COPIED, KEPT, PLACE, chunk_ids_of, copied, described
from ingest_assets.stores.pgvector.writable_text import refuse_unwritable
from ingest_assets.vectors import refuse_unsound

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composed

BATCH = 500
"""Rows looked up and copied at once: 2 MB at 384 dimensions with their text."""

_MOVE = (
    "UPDATE {chunks} AS c SET generation = %s, rag_strict = NULL, source_only = NULL, {places}"
    " FROM json_to_recordset(%s) AS new (chunk_id text, {types})"
    ' WHERE c.file_id = %s AND c.chunk_id = new.chunk_id COLLATE "C"'
)


@dataclass(slots=True)
class _Attempt:
    """What is known of one publication while it is written: ids, never rows."""

    client: Client
    connection: Connection[Any]
    record: FileRecord
    """As it will be kept."""
    before: FileRecord | None
    there: set[str] = field(default_factory=set)
    """Chunk ids of rows that the new generation has not asked for yet."""
    open: bool = True
    """The first chunk says which model and dimension the file's vectors have."""
    seen: set[str] = field(default_factory=set)
    """Chunk ids that have come so far."""
    reused: int = 0


def publish_generation(
    client: Client,
    record: FileRecord,
    chunks: Iterable[EmbeddedChunk],
    *,
    expecting: int | None,
    rewrite: Collection[str],
) -> FileRecord:
    """Make these chunks the file's only ones."""
    first, rest = _begun(record, chunks)
    with client.owning(record.file_id) as connection:
        attempt = _attempt(client, connection, record)
        require_generation(record.file_id, attempt.before, expecting=expecting)
        attempt.there = _chunk_ids(attempt)
        outdated = attempt.there.intersection(chunk_ids_of(record.file_id, list(rewrite)))
        _delete(attempt, outdated)
        attempt.there -= outdated
        for batch in chain([first], rest):
            _check(attempt, batch)
            _publish_batch(attempt, batch)
        _delete(attempt, attempt.there)
        _count(attempt, wanted=len(attempt.seen))
        return _commit(attempt, count=len(attempt.seen))


def add_chunks(client: Client, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
    """Put these chunks beside those that the file has."""
    first, rest = _begun(record, chunks)
    with client.owning(record.file_id) as connection:
        attempt = _attempt(client, connection, record)
        attempt.there = _chunk_ids(attempt)
        if attempt.before is not None:
            old = attempt.before
            attempt.record = replace(attempt.record, model=old.model, dimension=old.dimension)
            attempt.open = not attempt.there
        for batch in chain([first], rest):
            _check(attempt, batch)
            _refuse_known(attempt, batch)
            _copy(attempt, batch)
        count = len(attempt.there) + len(attempt.seen)
        _count(attempt, wanted=count)
        return _commit(attempt, count=count)


def _begun(record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> tuple[list[EmbeddedChunk], Iterable[Any]]:
    # The first batch is waited for before the transaction begins: most documents are embedded by then.
    refuse_unwritable(record)
    rest = batches(chunks, BATCH)
    return next(rest, []), rest


def _attempt(client: Client, connection: Connection[Any], record: FileRecord) -> _Attempt:
    before = entry_of(connection, client.tables, record.file_id)
    generation = before.generation + 1 if before else 1
    return _Attempt(client, connection, replace(record, generation=generation), before)


def _chunk_ids(attempt: _Attempt) -> set[str]:
    statement = attempt.client.tables.sql("SELECT chunk_id FROM {chunks} WHERE file_id = %s")
    return {chunk_id for (chunk_id,) in attempt.connection.execute(statement, (attempt.record.file_id,))}


def _check(attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> None:
    """Raise ValueError where a chunk is not fit to be kept."""
    for embedded in batch:
        chunk, file_id = embedded.chunk, attempt.record.file_id
        if attempt.open:
            _open_with(attempt, embedded)
        refuse_unsound(embedded, dimension=attempt.record.dimension)
        if chunk.file_id != file_id:
            raise ValueError(f"{file_id}: chunk {chunk.chunk_id} belongs to {chunk.file_id}")
        if embedded.model != attempt.record.model:
            raise ValueError(f"{file_id}: vectors of {attempt.record.model} and {embedded.model} in one file")
        if chunk.chunk_id in attempt.seen:
            raise ValueError(f"{file_id}: two chunks share the id {chunk.chunk_id}, the second at {len(attempt.seen)}")
        refuse_unwritable(chunk)
        attempt.seen.add(chunk.chunk_id)
        attempt.reused += embedded.reused


def _open_with(attempt: _Attempt, embedded: EmbeddedChunk) -> None:
    attempt.open, dimension = False, embedded.vector.size
    attempt.record = replace(attempt.record, model=embedded.model, dimension=dimension)
    tables = attempt.client.tables
    if dimension != tables.dimension:
        said = f"{tables.named('chunks')} takes {tables.dimension} numbers, {embedded.model} gives {dimension}"
        raise another_length(attempt.client.location, said)


def _publish_batch(attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> None:
    """Write what of a batch has no row yet, and move what stands elsewhere."""
    known = _known(attempt, batch)
    new, moved, outdated = [], [], []
    for embedded in batch:
        row = described(embedded, attempt.record)
        there = known.get(row["chunk_id"])
        if there is None:
            new.append(embedded)
        elif not there["sound"] or any(there[name] != row[name] for name in KEPT):
            outdated.append(embedded.chunk.chunk_id)
            new.append(embedded)
        elif any(there[name] != row[name] for name in PLACE):
            moved.append(row)
    _delete(attempt, outdated)
    _copy(attempt, new)
    _move(attempt, moved)
    attempt.there.difference_update(known)


def _known(attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> dict[str, Mapping[str, Any]]:
    """Read the rows there are of a batch's chunks, and whether a chunk embedded anew should heal its vector."""
    from psycopg.rows import dict_row

    ids = [each.chunk.chunk_id for each in batch if each.chunk.chunk_id in attempt.there]
    if not ids:
        return {}
    anew = [each.chunk.chunk_id for each in batch if not each.reused]
    statement = attempt.client.tables.sql(
        "SELECT chunk_id, {columns}, CASE WHEN chunk_id = ANY(%s) THEN {sound} ELSE true END AS sound"
        " FROM {chunks} WHERE file_id = %s AND chunk_id = ANY(%s)",
        columns=_names([*KEPT, *PLACE]),
    )
    with attempt.connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, (anew, attempt.record.file_id, ids))
        return {row["chunk_id"]: row for row in rows}


def _refuse_known(attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> None:
    for embedded in batch:
        if embedded.chunk.chunk_id in attempt.there:
            raise ChunkKnown(f"{attempt.record.file_id}: it has a chunk of the id {embedded.chunk.chunk_id} already")


def _copy(attempt: _Attempt, batch: Sequence[EmbeddedChunk]) -> None:
    if not batch:
        return
    tables = attempt.client.tables
    statement = tables.sql(
        "COPY {chunks} ({columns}) FROM STDIN (FORMAT BINARY)", columns=_names([*COPIED, "embedding"])
    )
    with attempt.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([*COPIED.values(), tables.kind])
        for embedded in batch:
            copy.write_row(copied(described(embedded, attempt.record), embedded.vector, tables))


def _move(attempt: _Attempt, rows: Sequence[Mapping[str, Any]]) -> None:
    from psycopg.sql import SQL, Identifier

    if not rows:
        return
    changes = SQL(", ").join(SQL("{0} = new.{0}").format(Identifier(name)) for name in PLACE)
    types = SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(kind)) for name, kind in PLACE.items())
    statement = attempt.client.tables.sql(_MOVE, places=changes, types=types)
    places = json.dumps([{name: row[name] for name in ("chunk_id", *PLACE)} for row in rows])
    attempt.connection.execute(statement, (attempt.record.generation, places, attempt.record.file_id))


def _delete(attempt: _Attempt, chunk_ids: Iterable[str]) -> None:
    statement = attempt.client.tables.sql("DELETE FROM {chunks} WHERE file_id = %s AND chunk_id = ANY(%s)")
    for ids in batches(chunk_ids, BATCH):
        attempt.connection.execute(statement, (attempt.record.file_id, ids))


def _count(attempt: _Attempt, *, wanted: int) -> None:
    """Raise OutsideError unless the table holds what it was given."""
    statement = attempt.client.tables.sql("SELECT count(*) FROM {chunks} WHERE file_id = %s")
    (count,) = attempt.connection.execute(statement, (attempt.record.file_id,)).fetchone() or (0,)
    if count != wanted:
        raise OutsideError(
            f"{attempt.record.file_id}: {attempt.client.location} holds {count} rows, not {wanted}; "
            "does a trigger or a rule of the table drop rows? Run it again"
        )


def _commit(attempt: _Attempt, *, count: int) -> FileRecord:
    fresh = len(attempt.seen) - attempt.reused
    record = replace(attempt.record, chunks=count, embedded=fresh, reused=attempt.reused)
    write_entry(attempt.connection, attempt.client.tables, record)
    return record


def _names(names: Sequence[str]) -> Composed:
    from psycopg.sql import SQL, Identifier

    return SQL(", ").join(map(Identifier, names))

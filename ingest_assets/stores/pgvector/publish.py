"""Change a file's rows in PostgreSQL in one transaction, so that readers see all of it or nothing.

The rows in the table are compared with the chunks that arrive, batch by batch. A chunk that is the same is not sent.
One that only moved gets its new place and keeps its vector. The others are copied in. Rows whose chunk did not arrive
again are deleted, the rows are counted, and the record is written last. Only ids are held, so memory does not grow with
the document.
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
from ingest_assets.stores.incoming import IncomingChunks
from ingest_assets.stores.pgvector.client import PgClient
from ingest_assets.stores.pgvector.errors import another_length
from ingest_assets.stores.pgvector.ledger import entry_of, write_entry
from ingest_assets.stores.pgvector.rows import COPIED, KEPT, PLACE, chunk_ids_of, copied, described
from ingest_assets.stores.pgvector.writable_text import refuse_unwritable

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
class _Publication:
    """The state of one publication while it is written: ids, never rows."""

    client: PgClient
    connection: Connection[Any]
    incoming: IncomingChunks
    before: FileRecord | None
    unmatched: set[str] = field(default_factory=set)
    """Chunk ids of rows whose chunk has not arrived again yet."""

    @property
    def record(self) -> FileRecord:
        """The record as it will be kept, except for its counts."""
        return self.incoming.record


def publish_generation(
    client: PgClient,
    record: FileRecord,
    chunks: Iterable[EmbeddedChunk],
    *,
    expecting: int | None,
    rewrite: Collection[str],
) -> FileRecord:
    """Make these chunks the file's only ones."""
    first, rest = _first_batch(record, chunks)
    with client.owning(record.file_id) as connection:
        publication = _begin(client, connection, record)
        require_generation(record.file_id, publication.before, expecting=expecting)
        publication.unmatched = _chunk_ids(publication)
        outdated = publication.unmatched.intersection(chunk_ids_of(record.file_id, list(rewrite)))
        _delete(publication, outdated)
        publication.unmatched -= outdated
        for batch in chain([first], rest):
            _check(publication, batch)
            _publish_batch(publication, batch)
        _delete(publication, publication.unmatched)
        _count(publication, wanted=len(publication.incoming.seen))
        return _commit(publication, count=len(publication.incoming.seen))


def add_chunks(client: PgClient, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
    """Put these chunks beside those that the file has."""
    first, rest = _first_batch(record, chunks)
    with client.owning(record.file_id) as connection:
        publication = _begin(client, connection, record)
        publication.unmatched = _chunk_ids(publication)
        if publication.unmatched and publication.before is not None:
            publication.incoming = IncomingChunks(publication.record, beside=publication.before)
        for batch in chain([first], rest):
            _check(publication, batch)
            _refuse_known(publication, batch)
            _copy(publication, batch)
        count = len(publication.unmatched) + len(publication.incoming.seen)
        _count(publication, wanted=count)
        return _commit(publication, count=count)


def _first_batch(record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> tuple[list[EmbeddedChunk], Iterable[Any]]:
    # Wait for the first batch before the transaction begins: most documents are embedded whole by then.
    refuse_unwritable(record)
    rest = batches(chunks, BATCH)
    return next(rest, []), rest


def _begin(client: PgClient, connection: Connection[Any], record: FileRecord) -> _Publication:
    before = entry_of(connection, client.tables, record.file_id)
    generation = before.generation + 1 if before else 1
    return _Publication(client, connection, IncomingChunks(replace(record, generation=generation)), before)


def _chunk_ids(publication: _Publication) -> set[str]:
    statement = publication.client.tables.sql("SELECT chunk_id FROM {chunks} WHERE file_id = %s")
    return {chunk_id for (chunk_id,) in publication.connection.execute(statement, (publication.record.file_id,))}


def _check(publication: _Publication, batch: Sequence[EmbeddedChunk]) -> None:
    """Raise ValueError or ConfigError where a chunk cannot be kept."""
    tables = publication.client.tables
    if batch and not publication.incoming.seen and batch[0].vector.size != tables.dimension:
        first = batch[0]
        what = f"{tables.named('chunks')} takes {tables.dimension} numbers, {first.model} gives {first.vector.size}"
        raise another_length(publication.client.location, what)
    publication.incoming.check(batch)
    for embedded in batch:
        refuse_unwritable(embedded.chunk)


def _publish_batch(publication: _Publication, batch: Sequence[EmbeddedChunk]) -> None:
    """Write the chunks of a batch that have no row yet, and move the rows of those that have another place."""
    known = _known(publication, batch)
    new, moved, outdated = [], [], []
    for embedded in batch:
        row = described(embedded, publication.record)
        there = known.get(row["chunk_id"])
        if there is None:
            new.append(embedded)
        elif not there["sound"] or any(there[name] != row[name] for name in KEPT):
            outdated.append(embedded.chunk.chunk_id)
            new.append(embedded)
        elif any(there[name] != row[name] for name in PLACE):
            moved.append(row)
    _delete(publication, outdated)
    _copy(publication, new)
    _move(publication, moved)
    publication.unmatched.difference_update(known)


def _known(publication: _Publication, batch: Sequence[EmbeddedChunk]) -> dict[str, Mapping[str, Any]]:
    """Read the rows of a batch's chunks; `sound` is false where a new vector should replace a damaged one."""
    from psycopg.rows import dict_row

    ids = [each.chunk.chunk_id for each in batch if each.chunk.chunk_id in publication.unmatched]
    if not ids:
        return {}
    anew = [each.chunk.chunk_id for each in batch if not each.reused]
    statement = publication.client.tables.sql(
        "SELECT chunk_id, {columns}, CASE WHEN chunk_id = ANY(%s) THEN {sound} ELSE true END AS sound"
        " FROM {chunks} WHERE file_id = %s AND chunk_id = ANY(%s)",
        columns=_names([*KEPT, *PLACE]),
    )
    with publication.connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, (anew, publication.record.file_id, ids))
        return {row["chunk_id"]: row for row in rows}


def _refuse_known(publication: _Publication, batch: Sequence[EmbeddedChunk]) -> None:
    for embedded in batch:
        if embedded.chunk.chunk_id in publication.unmatched:
            raise ChunkKnown(
                f"{publication.record.file_id}: it has a chunk of the id {embedded.chunk.chunk_id} already"
            )


def _copy(publication: _Publication, batch: Sequence[EmbeddedChunk]) -> None:
    if not batch:
        return
    tables = publication.client.tables
    statement = tables.sql(
        "COPY {chunks} ({columns}) FROM STDIN (FORMAT BINARY)", columns=_names([*COPIED, "embedding"])
    )
    with publication.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([*COPIED.values(), tables.kind])
        for embedded in batch:
            copy.write_row(copied(described(embedded, publication.record), embedded.vector, tables))


def _move(publication: _Publication, rows: Sequence[Mapping[str, Any]]) -> None:
    from psycopg.sql import SQL, Identifier

    if not rows:
        return
    changes = SQL(", ").join(SQL("{0} = new.{0}").format(Identifier(name)) for name in PLACE)
    types = SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(kind)) for name, kind in PLACE.items())
    statement = publication.client.tables.sql(_MOVE, places=changes, types=types)
    places = json.dumps([{name: row[name] for name in ("chunk_id", *PLACE)} for row in rows])
    publication.connection.execute(statement, (publication.record.generation, places, publication.record.file_id))


def _delete(publication: _Publication, chunk_ids: Iterable[str]) -> None:
    statement = publication.client.tables.sql("DELETE FROM {chunks} WHERE file_id = %s AND chunk_id = ANY(%s)")
    for ids in batches(chunk_ids, BATCH):
        publication.connection.execute(statement, (publication.record.file_id, ids))


def _count(publication: _Publication, *, wanted: int) -> None:
    """Raise OutsideError unless the table holds what it was given."""
    statement = publication.client.tables.sql("SELECT count(*) FROM {chunks} WHERE file_id = %s")
    (count,) = publication.connection.execute(statement, (publication.record.file_id,)).fetchone() or (0,)
    if count != wanted:
        raise OutsideError(
            f"{publication.record.file_id}: {publication.client.location} holds {count} rows, not {wanted}; "
            "does a trigger or a rule of the table drop rows? Run it again"
        )


def _commit(publication: _Publication, *, count: int) -> FileRecord:
    record = publication.incoming.counted(count)
    write_entry(publication.connection, publication.client.tables, record)
    return record


def _names(names: Sequence[str]) -> Composed:
    from psycopg.sql import SQL, Identifier

    return SQL(", ").join(map(Identifier, names))

"""Read chunks, rows and vectors from PostgreSQL within a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ingest_assets.ledger_records import Scope, StoredChunk
from ingest_assets.records import Chunk
from ingest_assets.stores.incoming import plain
from ingest_assets.stores.pgvector.rows import array_of, stored_of
from ingest_assets.stores.rows import chunk_of

if TYPE_CHECKING:
    from psycopg import Connection

    from ingest_assets.records import Vector
    from ingest_assets.stores.pgvector.tables import Tables

_PAGE = 500
"""Rows fetched at once with their vectors: 2 MB at 384 dimensions with their text."""

_CHUNKS = "SELECT {chunk} FROM {chunks} c JOIN {files} f USING (file_id) WHERE c.file_id = %s AND {in_force}"

_OWNERS = """
WITH RECURSIVE step (file_id, taken) AS (
    (SELECT file_id, 1 FROM {chunks} WHERE file_id > %(after)s ORDER BY file_id LIMIT 1)
    UNION ALL
    SELECT (SELECT c.file_id FROM {chunks} c WHERE c.file_id > step.file_id ORDER BY c.file_id LIMIT 1), taken + 1
    FROM step WHERE step.file_id IS NOT NULL AND taken < %(limit)s
)
SELECT file_id FROM step WHERE file_id IS NOT NULL
UNION
(SELECT file_id FROM {files} WHERE file_id > %(after)s ORDER BY file_id LIMIT %(limit)s)
ORDER BY file_id LIMIT %(limit)s
"""
"""Asks the index for the next file, once per file: a DISTINCT would read every row of the table."""

_VECTORS = """
SELECT wanted.hash, found.embedding FROM unnest(%s::text[]) AS wanted (hash)
CROSS JOIN LATERAL (
    SELECT embedding FROM {chunks} WHERE text_sha256 = wanted.hash AND model = %s AND {sound} LIMIT 1
) AS found
"""
"""A text that occurs in a thousand files has a thousand rows: one of them is read."""


def page_of_chunks(
    connection: Connection[Any], tables: Tables, file_id: str, *, limit: int, offset: int
) -> list[Chunk]:
    """Return a file's chunks from `offset` on, in document order."""
    statement = tables.sql(_CHUNKS + ' ORDER BY c."index", c.chunk_id LIMIT %s OFFSET %s')
    return [chunk_of(row) for row in _rows(connection, statement, (file_id, limit, offset))]


def chunks_by_id(
    connection: Connection[Any], tables: Tables, file_id: str, chunk_ids: Sequence[str]
) -> dict[str, Chunk]:
    """Return a file's chunks that have one of these ids."""
    statement = tables.sql(_CHUNKS + " AND c.chunk_id = ANY(%s)")
    rows = _rows(connection, statement, (file_id, list(chunk_ids)))
    return {row["chunk_id"]: chunk_of(row) for row in rows}


def chunks_of_scope(connection: Connection[Any], tables: Tables, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
    """Return the chunks of a scope's files that have one of these ids, by id, then by file."""
    statement = tables.sql(
        "SELECT {chunk} FROM {chunks} c JOIN {files} f USING (file_id)"
        " WHERE c.chunk_id = ANY(%s) AND c.user_id = %s AND c.project_id = %s AND {in_force}"
        " ORDER BY c.chunk_id, c.file_id"
    )
    values = ([plain(each) for each in chunk_ids], plain(scope.user_id), plain(scope.project_id))
    return [chunk_of(row) for row in _rows(connection, statement, values)]


def every_row(connection: Connection[Any], tables: Tables, file_id: str) -> Iterator[StoredChunk]:
    """Yield every row of a file from a cursor on the server, so that one page is in memory at a time."""
    from psycopg.rows import dict_row

    statement = tables.sql(
        "SELECT c.*, {in_force} AS in_force FROM {chunks} c LEFT JOIN {files} f USING (file_id)"
        ' WHERE c.file_id = %s ORDER BY c."index", c.chunk_id'
    )
    # A name for each cursor: two listings may run in one transaction.
    with connection.cursor(name=f"rows_{uuid4().hex}", row_factory=dict_row) as cursor:
        cursor.itersize = _PAGE
        cursor.execute(statement, (file_id,), binary=True)
        for row in cursor:
            yield stored_of(row)


def owners_after(connection: Connection[Any], tables: Tables, *, after: str, limit: int) -> list[str]:
    """List in order the file_ids after `after` that a record or a row names."""
    rows = connection.execute(tables.sql(_OWNERS), {"after": after, "limit": limit})
    return [file_id for (file_id,) in rows]


def vectors_of(connection: Connection[Any], tables: Tables, *, model: str, hashes: Sequence[str]) -> dict[str, Vector]:
    """Return sound vectors of a model by text hash."""
    rows = connection.execute(tables.sql(_VECTORS), (list(hashes), model), binary=True)
    return {text_sha256: array_of(embedding) for text_sha256, embedding in rows}


def _rows(connection: Connection[Any], statement: Any, values: Sequence[Any]) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values).fetchall()

"""Maintain the tables in PostgreSQL: set flags, free space, switch and drop spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ingest_assets.batches import batches
from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Flags
from ingest_assets.stores.pgvector.client import PgClient
from ingest_assets.stores.pgvector.rows import chunk_ids_of
from ingest_assets.stores.pgvector.schema import exists
from ingest_assets.stores.pgvector.tables import Tables

if TYPE_CHECKING:
    from psycopg import Connection

_BATCH = 1000
_PAGE_BYTES = 8192
_SMALL_BYTES = 8 * 2**20
"""A smaller index is not worth a rebuild, during which no search can use it."""
_SLACK = 1.5
"""Times the size of a new index. Below it, a rebuild frees less than the next files will take."""

_FLAG = (
    "UPDATE {chunks} AS c SET rag_strict = new.rag_strict, source_only = new.source_only"
    " FROM unnest(%s::text[], %s::boolean[], %s::boolean[]) AS new (chunk_id, rag_strict, source_only)"
    ' WHERE c.file_id = %s AND c.chunk_id = new.chunk_id COLLATE "C"'
    " AND (c.rag_strict, c.source_only) IS DISTINCT FROM (new.rag_strict, new.source_only)"
)


def flag_rows(client: PgClient, file_id: str, flags: Mapping[str, Flags]) -> int:
    """Set the flags of a file's rows by name; return how many rows had others before."""
    statement, changed = client.tables.sql(_FLAG), 0
    by_id = {chunk_id: flags[name] for name in flags for chunk_id in chunk_ids_of(file_id, [name])}
    with client.owning(file_id) as connection:
        for ids in batches(by_id, _BATCH):
            strict = [by_id[chunk_id].rag_strict for chunk_id in ids]
            source = [by_id[chunk_id].source_only for chunk_id in ids]
            changed += connection.execute(statement, (ids, strict, source, file_id)).rowcount
    return changed


def compact_tables(client: PgClient) -> str:
    """Rebuild the vector index if it has grown, vacuum and analyse the tables; return a sentence about it.

    In this order: VACUUM repairs the graph of HNSW around each deleted row, which takes longer than a new index.
    """
    tables = client.tables
    with client.alone() as connection:
        before = _size(connection, tables)
        connection.execute(tables.sql("ANALYZE {chunks}"))
        rebuilt = _worth_rebuilding(connection, tables)
        if rebuilt:
            connection.execute(tables.sql("REINDEX INDEX {ix_vector_chunks}"))
        connection.execute(tables.sql("VACUUM (ANALYZE) {chunks}"))
        connection.execute(tables.sql("VACUUM (ANALYZE) {files}"))
        freed = (before - _size(connection, tables)) / 2**20
    index = "rebuilt the vector index" if rebuilt else "left the vector index, which is not much larger than a new one"
    what = f"vacuumed and analysed {tables.named('chunks')} and {tables.named('files')}"
    return f"{index}; {what}; {max(freed, 0):.1f} MB given back"


def current_space(client: PgClient) -> str:
    """Return the space in use; the first if nothing was prepared yet."""
    with client.at_hand() as connection:
        if not exists(connection, client.tables.schema, "ingest_space"):
            return ""
        found = connection.execute(client.tables.sql("SELECT space FROM {ingest_space}")).fetchone()
    return str(found[0]) if found else ""


def switch_space(client: PgClient, space: str) -> None:
    """Make another space the one in use."""
    with client.transaction() as connection:
        known = client.tables.sql("SELECT 1 FROM {ingest_migrations} WHERE space = %s")
        if connection.execute(known, (space,)).fetchone() is None:
            raise ConfigError(f"{client.location} has no space {space!r}; prepare it before it is put to use")
        write = "INSERT INTO {ingest_space} (space) VALUES (%s) ON CONFLICT (one) DO UPDATE SET space = EXCLUDED.space"
        connection.execute(client.tables.sql(write), (space,))


def drop_space(client: PgClient) -> None:
    """Remove the tables of a space that is not in use."""
    tables = client.tables
    with client.transaction() as connection:
        found = connection.execute(tables.sql("SELECT space FROM {ingest_space} FOR SHARE")).fetchone()
        if tables.space == (found[0] if found else ""):
            raise ValueError(f"the space {tables.space!r} of {client.location} is in use; switch to another one first")
        connection.execute(tables.sql("DROP TABLE IF EXISTS {chunks}, {files}"))
        connection.execute(tables.sql("DELETE FROM {ingest_migrations} WHERE space = %s"), (tables.space,))


def _size(connection: Connection[Any], tables: Tables) -> int:
    # From the catalogue: in a name written as text the quotes would have to be added by hand.
    found = connection.execute(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = ANY(%s)",
        (tables.schema, [tables.named("chunks"), tables.named("files")]),
    ).fetchone()
    return int(found[0]) if found else 0


def _worth_rebuilding(connection: Connection[Any], tables: Tables) -> bool:
    """Tell whether the vector index is much larger than its rows need; ANALYZE has just counted them."""
    found = connection.execute(
        "SELECT pg_relation_size(i.oid), t.reltuples FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = i.relnamespace"
        " WHERE n.nspname = %s AND i.relname = %s",
        (tables.schema, tables.named("ix_vector_chunks")),
    ).fetchone()
    if found is None:
        return False
    size, rows = found
    return bool(size > _SMALL_BYTES and size > _SLACK * max(rows, 0) * _bytes_of_an_entry(tables))


def _bytes_of_an_entry(tables: Tables) -> float:
    """Return the bytes that HNSW takes for a row: a page holds as many vectors with 32 neighbours as fit."""
    vector = tables.dimension * (2 if tables.halfvec else 4)
    entry = 88 + vector + 208  # the element's head, and the neighbours' tuple of its lowest layer (src/hnsw.h)
    return _PAGE_BYTES / max(1, (_PAGE_BYTES - 32) // entry)

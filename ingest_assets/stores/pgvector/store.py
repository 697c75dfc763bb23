"""Keep chunks and the ledger in PostgreSQL with pgvector, as `contract.py` promises.

Two tables, as people who use pgvector expect: `chunks` and `files`, the ledger. Each change of a file is one
transaction, so a search sees all of its old chunks or all of its new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import EVERYTHING, Audit, FileRecord, Filter, Flags, Hit, Scope, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.audit import audit_of
from ingest_assets.stores.contract import ConnectionCounts, require_generation
from ingest_assets.stores.incoming import noted, plain, require_search
from ingest_assets.stores.ownership import StoreOwner
from ingest_assets.stores.pgvector.client import PgClient, TimeLimits
from ingest_assets.stores.pgvector.errors import another_length
from ingest_assets.stores.pgvector.ledger import entry_of, page_of_records, projects_of, write_entry
from ingest_assets.stores.pgvector.publish import BATCH, add_chunks, publish_generation
from ingest_assets.stores.pgvector.read import (
    chunks_by_id,
    chunks_of_scope,
    every_row,
    owners_after,
    page_of_chunks,
    vectors_of,
)
from ingest_assets.stores.pgvector.search import nearest
from ingest_assets.stores.pgvector.tables import Tables
from ingest_assets.stores.pgvector.upkeep import (
    compact_tables,
    current_space,
    drop_space,
    flag_rows,
    switch_space,
)
from ingest_assets.stores.pgvector.writable_text import refuse_unwritable

if TYPE_CHECKING:
    from ingest_assets.records import Vector

_LIMITS = TimeLimits()


class PgVectorStore:
    """PostgreSQL with the extension pgvector."""

    def __init__(
        self,
        url: str,
        *,
        dimension: int,
        space: str = "",
        halfvec: bool = False,
        schema: str = "public",
        limits: TimeLimits = _LIMITS,
    ) -> None:
        """Take `postgresql://user:password@host:port/database`; `halfvec` keeps vectors at 16 bits a number."""
        tables = Tables(schema=schema, space=space, dimension=dimension, halfvec=halfvec)
        self._client = PgClient(url, tables=tables, limits=limits)

    def prepare(self, owner: StoreOwner | None = None, *, take_over: bool = False) -> None:
        """Make the extension, tables and indexes, or bring them up to date, and record whose files they hold."""
        self._client.prepare(owner, take_over=take_over)

    def replace(
        self,
        record: FileRecord,
        chunks: Iterable[EmbeddedChunk],
        *,
        expecting: int | None = None,
        rewrite: Collection[str] = (),
    ) -> FileRecord:
        """Make these chunks the file's only ones, at once, and keep the record; return it as kept."""
        plain(record.file_id)
        return publish_generation(self._client, record, chunks, expecting=expecting, rewrite=rewrite)

    def add(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Put these chunks beside those that the file has, at once; return the record as kept."""
        plain(record.file_id)
        return add_chunks(self._client, record, chunks)

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        refuse_unwritable(record)
        with self._client.owning(plain(record.file_id)) as connection:
            before = entry_of(connection, self._client.tables, record.file_id)
            kept = noted(record, before)
            write_entry(connection, self._client.tables, kept)
        return kept

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        """Remove a file's chunks and record; return the number of rows removed. Unknown file: 0."""
        tables = self._client.tables
        with self._client.owning(plain(file_id)) as connection:
            require_generation(file_id, entry_of(connection, tables, file_id), expecting=expecting)
            rows = connection.execute(tables.sql("DELETE FROM {chunks} WHERE file_id = %s"), (file_id,)).rowcount
            connection.execute(tables.sql("DELETE FROM {files} WHERE file_id = %s"), (file_id,))
        return rows

    def vectors_for(self, model: str, text_sha256s: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that the store already has for these texts, by text hash."""
        found: dict[str, Vector] = {}
        for hashes in batches(dict.fromkeys(plain(each) for each in text_sha256s), BATCH):
            with self._client.transaction() as connection:
                found |= vectors_of(connection, self._client.tables, model=model, hashes=hashes)
        return found

    def search(self, vector: Vector, *, k: int, scope: Scope, filters: Filter = EVERYTHING) -> list[Hit]:
        """Return the k nearest chunks of the scope's current generations that the filter lets through, best first."""
        require_search(vector, k=k)
        tables = self._client.tables
        if vector.size != tables.dimension:
            message = f"{tables.named('chunks')} takes {tables.dimension} numbers, the query has {vector.size}"
            raise another_length(self._client.location, message)
        scope = Scope(plain(scope.user_id), plain(scope.project_id))
        return nearest(self._client, vector, k=k, scope=scope, filters=filters)

    def file(self, file_id: str) -> FileRecord | None:
        """Return the record of a file."""
        with self._client.transaction() as connection:
            return entry_of(connection, self._client.tables, plain(file_id))

    def files(self, scope: Scope | None = None, *, limit: int = 1000, offset: int = 0) -> list[FileRecord]:
        """List records by file_id; all users' without a scope."""
        with self._client.transaction() as connection:
            return page_of_records(connection, self._client.tables, scope, limit=limit, offset=offset)

    def projects(self, user_id: str) -> list[str]:
        """List in order the projects of a user that have a record."""
        with self._client.transaction() as connection:
            return projects_of(connection, self._client.tables, plain(user_id))

    def chunks(self, file_id: str, *, limit: int = 100, offset: int = 0) -> list[Chunk]:
        """List a file's current chunks in document order: by index, then by chunk id."""
        with self._client.transaction() as connection:
            return page_of_chunks(connection, self._client.tables, plain(file_id), limit=limit, offset=offset)

    def chunks_named(self, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return a file's current chunks that have one of these ids, by id."""
        with self._client.transaction() as connection:
            return chunks_by_id(connection, self._client.tables, plain(file_id), chunk_ids)

    def chunks_within(self, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Return the current chunks of all files of a scope that have one of these ids, by id, then by file."""
        with self._client.transaction() as connection:
            return chunks_of_scope(connection, self._client.tables, scope, chunk_ids)

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record."""
        with self._client.transaction(still=True) as connection:
            record = entry_of(connection, self._client.tables, plain(file_id))
            return audit_of(record, every_row(connection, self._client.tables, file_id))

    def rows(self, file_id: str) -> Iterator[StoredChunk]:
        """Yield every row of a file, in force or not, by index and then by name; 500 are in memory at a time."""
        with self._client.transaction() as connection:
            yield from every_row(connection, self._client.tables, plain(file_id))

    def owners(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """List in order the file_ids after `after` that the ledger or any row names; rows may have no record."""
        with self._client.transaction() as connection:
            return owners_after(connection, self._client.tables, after=after, limit=limit)

    def flag(self, file_id: str, flags: Mapping[str, Flags]) -> int:
        """Set `rag_strict` and `source_only` of a file's rows, by name; return how many rows changed."""
        return flag_rows(self._client, plain(file_id), flags)

    def compact(self) -> str:
        """Free space, renew statistics and indexes; return a sentence about what was done."""
        return compact_tables(self._client)

    def current_space(self) -> str:
        """Return the space of this place that is in use; "" is the first."""
        return current_space(self._client)

    def switch(self, space: str) -> None:
        """Make another space of this place the one in use, in one write."""
        switch_space(self._client, space)

    def drop(self) -> None:
        """Remove this object's own space with all that is in it."""
        drop_space(self._client)

    def connections(self) -> ConnectionCounts:
        """Count the connections of this object."""
        return self._client.connections()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._client.close()

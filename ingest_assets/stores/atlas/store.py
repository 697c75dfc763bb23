"""Keep chunks and the ledger in MongoDB, as `contract.py` promises: on Atlas, or on any server from 5.0 on.

Collections as people who use MongoDB expect: `chunks`, a document per chunk with its vector, and `files`, the ledger,
with a record's fields as fields. Beside them three small ones: `scopes` (`ledger.py`), `spaces` and `ingest_owner`.

A file's ledger entry decides what is in force, and changes in single writes, on every server alike (`publish.py`).
Transactions are used where the server has them: to bring a generation into force and remove a few replaced rows at
once, and to read rows and ledger of one moment. A server without them (a standalone `mongod`) is read until nothing has
changed during the read (`read.py`).

`vector_search` searches by Atlas Vector Search (`searching/search.py`). Without it a scope's vectors are compared one
by one here (`searching/exact_search.py`), which is exact, needs no index and takes as long as the scope is large.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import EVERYTHING, Audit, FileRecord, Filter, Flags, Hit, Scope, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas import ownership as atlas_ownership
from ingest_assets.stores.atlas import publish as atlas_publish
from ingest_assets.stores.atlas import read as atlas_read
from ingest_assets.stores.atlas import remove as atlas_remove
from ingest_assets.stores.atlas import upkeep as atlas_upkeep
from ingest_assets.stores.atlas.client import MongoPlace
from ingest_assets.stores.atlas.entry import entry_of, record_of
from ingest_assets.stores.atlas.publication import BATCH, refuse_other_length
from ingest_assets.stores.atlas.rows import within
from ingest_assets.stores.atlas.searching import exact_search as atlas_exact
from ingest_assets.stores.atlas.searching.search import IndexSearch
from ingest_assets.stores.atlas.searching.search_index import SearchIndex
from ingest_assets.stores.atlas.view import make_view
from ingest_assets.stores.audit import audit_of
from ingest_assets.stores.contract import ConnectionCounts
from ingest_assets.stores.incoming import plain, require_search
from ingest_assets.stores.ownership import StoreOwner

if TYPE_CHECKING:
    from ingest_assets.records import Vector


class AtlasStore:
    """MongoDB, with Atlas Vector Search or without."""

    def __init__(
        self,
        uri: str,
        *,
        database: str = "studybuddy",
        dimension: int,
        vector_search: bool = False,
        space: str = "",
    ) -> None:
        """Take a connection string, the database, the length of the vectors and the space."""
        self._place = MongoPlace(uri, database=database, space=space, dimension=dimension)
        self._index = SearchIndex(space=space, dimension=dimension) if vector_search else None

    def prepare(self, owner: StoreOwner | None = None, *, take_over: bool = False) -> None:
        """Make collections and indexes, and record whose files they hold; any number of times."""
        with self._place.asked() as mongo:
            atlas_ownership.claim(mongo, owner, take_over=take_over)
            atlas_upkeep.make_collections(mongo)
            if (space := self._place.space) == atlas_upkeep.current_space(mongo):
                make_view(mongo, space)
            if self._index is not None:
                self._index.ensure(mongo)

    def replace(
        self,
        record: FileRecord,
        chunks: Iterable[EmbeddedChunk],
        *,
        expecting: int | None = None,
        rewrite: Collection[str] = (),
    ) -> FileRecord:
        """Make these chunks the file's only ones, at once, and keep the record; return it as kept."""
        _plain_names(record)
        with self._place.asked() as mongo:
            return atlas_publish.publish(mongo, record, chunks, index=self._index, expecting=expecting, rewrite=rewrite)

    def add(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Put these chunks beside those that the file has, at once; return the record as kept."""
        _plain_names(record)
        with self._place.asked() as mongo:
            return atlas_publish.extend(mongo, record, chunks, index=self._index)

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        _plain_names(record)
        with self._place.asked() as mongo:
            return atlas_remove.note(mongo, record)

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        """Remove a file's chunks and record; return the number of rows removed. Unknown file: 0."""
        with self._place.asked() as mongo:
            return atlas_remove.remove(mongo, plain(file_id), expecting=expecting)

    def vectors_for(self, model: str, text_sha256s: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that the store already has for these texts, by text hash."""
        found: dict[str, Vector] = {}
        with self._place.asked() as mongo:
            for hashes in batches(dict.fromkeys(plain(each) for each in text_sha256s), BATCH):
                found |= atlas_read.vectors_of(mongo, model=plain(model), hashes=hashes)
        return found

    def search(self, vector: Vector, *, k: int, scope: Scope, filters: Filter = EVERYTHING) -> list[Hit]:
        """Return the k nearest chunks of the scope's current generations that the filter lets through, best first."""
        require_search(vector, k=k)
        within(scope)  # refuses what is not a text, before the server is asked
        with self._place.asked() as mongo:
            refuse_other_length(mongo, vector)
            if self._index is None or not filters.is_empty:  # the index knows none of the filter's fields
                return atlas_exact.nearest(mongo, vector, k=k, scope=scope, filters=filters)
            return IndexSearch(self._index).nearest(mongo, vector, k=k, scope=scope)

    def file(self, file_id: str) -> FileRecord | None:
        """Return the record of a file."""
        with self._place.asked() as mongo:
            row = ledger.find(mongo, plain(file_id))
        return record_of(row) if row else None

    def files(self, scope: Scope | None = None, *, limit: int = 1000, offset: int = 0) -> list[FileRecord]:
        """List records by file_id; all users' without a scope."""
        where = {} if scope is None else within(scope)
        with self._place.asked() as mongo:
            return ledger.page_of_records(mongo, where, limit=limit, offset=offset)

    def projects(self, user_id: str) -> list[str]:
        """List in order the projects of a user that have a record."""
        with self._place.asked() as mongo:
            return ledger.projects_of(mongo, plain(user_id))

    def chunks(self, file_id: str, *, limit: int = 100, offset: int = 0) -> list[Chunk]:
        """List a file's current chunks in document order: by index, then by chunk id."""
        with self._place.asked() as mongo:
            return atlas_read.page_of_chunks(mongo, plain(file_id), limit=limit, offset=offset)

    def chunks_named(self, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return a file's current chunks that have one of these ids, by id."""
        found: dict[str, Chunk] = {}
        with self._place.asked() as mongo:
            for ids in batches(dict.fromkeys(plain(each) for each in chunk_ids), BATCH):
                found |= atlas_read.named_chunks(mongo, plain(file_id), ids)
        return found

    def chunks_within(self, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Return the current chunks of all files of a scope that have one of these ids, by id, then by file."""
        found: list[Chunk] = []
        with self._place.asked() as mongo:
            for ids in batches(dict.fromkeys(plain(each) for each in chunk_ids), BATCH):
                found += atlas_read.chunks_of_scope(mongo, scope, ids)
        return sorted(found, key=lambda chunk: (chunk.chunk_id, chunk.file_id))

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record."""
        with self._place.asked() as mongo:
            return atlas_read.rows_at_rest(mongo, plain(file_id), audit_of)

    def rows(self, file_id: str) -> Iterator[StoredChunk]:
        """Yield every row of a file, in force or not, by index and then by name; 200 are in memory at a time."""
        with self._place.asked() as mongo:
            row = ledger.find(mongo, plain(file_id))
            yield from atlas_read.rows_of(mongo, file_id, entry_of(row) if row else None)

    def owners(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """List in order the file_ids after `after` that the ledger or any row names; rows may have no record."""
        with self._place.asked() as mongo:
            return atlas_read.owners_after(mongo, plain(after) if after else "", limit=limit)

    def flag(self, file_id: str, flags: Mapping[str, Flags]) -> int:
        """Set `rag_strict` and `source_only` of a file's rows, by name; return how many rows changed."""
        with self._place.asked() as mongo:
            return atlas_upkeep.set_flags(mongo, plain(file_id), {plain(name): each for name, each in flags.items()})

    def compact(self) -> str:
        """Free space; return a sentence about what was done."""
        with self._place.asked() as mongo:
            return atlas_upkeep.compact(mongo)

    def current_space(self) -> str:
        """Return the space of this place that is in use; "" is the first."""
        with self._place.asked() as mongo:
            return atlas_upkeep.current_space(mongo)

    def switch(self, space: str) -> None:
        """Make another space of this place the one in use, in one write."""
        with self._place.asked() as mongo:
            atlas_upkeep.switch_space(mongo, space)

    def drop(self) -> None:
        """Remove this object's own space with all that is in it."""
        with self._place.asked() as mongo:
            atlas_upkeep.drop_space(mongo, self._place.space, index=self._index)

    def connections(self) -> ConnectionCounts:
        """Count the connections of this object."""
        return self._place.connections()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._place.close()


def _plain_names(record: FileRecord) -> None:
    """Refuse a record whose names could not stand in a filter later."""
    for name in (record.file_id, record.user_id, record.project_id):
        plain(name)

"""A connection string in, the vector store of `contract.py` on MongoDB out, on Atlas or on any server from 5.0 on.

Collections as people who use MongoDB expect: `chunks`, a document per chunk with its vector, and `files`, the ledger,
with a record's fields as fields. Beside them two small ones: `scopes` (`atlas_ledger.py`) and `spaces`.

What is in force is decided by a file's ledger entry, which changes in single writes, on every server alike
(`atlas_publish.py`). Transactions, where the server has them, do what they are good at: turning a file over and
removing the few rows that went at once, and reading rows and ledger of one moment. A server without them (a standalone
`mongod`) is read until nothing has moved meanwhile (`atlas_read.py`).

`vector_search` searches by Atlas Vector Search (`atlas_search.py`); without it a scope's vectors are compared one by
one on this side (`atlas_exact.py`), which is exact, needs no index and takes as long as the scope is large.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import Audit, FileRecord, Flags, Hit, Scope, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.atlas import exact_search as atlas_exact
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas import ownership as atlas_ownership
from ingest_assets.stores.atlas import publish as atlas_publish
from ingest_assets.stores.atlas import read as atlas_read
from ingest_assets.stores.atlas import remove as atlas_remove
from ingest_assets.stores.atlas import upkeep as atlas_upkeep
from ingest_assets.stores.atlas.attempt import BATCH, refuse_other_length
from ingest_assets.stores.atlas.client import Place
from ingest_assets.stores.atlas.entry import entry_of, record_of
from ingest_assets.stores.atlas.rows import within
from ingest_assets.stores.atlas.search import Searcher
from ingest_assets.stores.atlas.search_index import SearchIndex
from ingest_assets.stores.audit import audit_of
from ingest_assets.stores.filters import plain
from ingest_assets.stores.ownership import StoreOwner
from ingest_assets.vectors import fault

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
        self._place = Place(uri, database=database, space=space, dimension=dimension)
        self._index = SearchIndex(space=space, dimension=dimension) if vector_search else None

    def prepare(self, owner: StoreOwner | None = None, *, take_over: bool = False) -> None:
        """Make collections and indexes, and record whose files they hold; any number of times."""
        with self._place.asked() as handle:
            atlas_ownership.claim(handle, owner, take_over=take_over)
            atlas_upkeep.make_collections(handle)
            if self._index is not None:
                self._index.ensure(handle)

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
        with self._place.asked() as handle:
            return atlas_publish.publish(
                handle, record, chunks, index=self._index, expecting=expecting, rewrite=rewrite
            )

    def add(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Put these chunks beside those that the file has, at once; return the record as kept."""
        _plain_names(record)
        with self._place.asked() as handle:
            return atlas_publish.extend(handle, record, chunks, index=self._index)

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        _plain_names(record)
        with self._place.asked() as handle:
            return atlas_remove.note(handle, record)

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        """Remove a file's chunks and record; return how many rows went. Unknown file: 0."""
        with self._place.asked() as handle:
            return atlas_remove.remove(handle, plain(file_id), expecting=expecting)

    def vectors_for(self, model: str, text_sha256s: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that are there already, by text hash."""
        found: dict[str, Vector] = {}
        with self._place.asked() as handle:
            for hashes in batches(dict.fromkeys(plain(each) for each in text_sha256s), BATCH):
                found |= atlas_read.vectors_of(handle, model=plain(model), hashes=hashes)
        return found

    def search(self, vector: Vector, *, k: int, scope: Scope) -> list[Hit]:
        """Return the k nearest chunks of the scope's current generations, best first."""
        if k < 1:
            raise ValueError(f"a search asks for at least one answer, not {k}")
        if found := fault(vector, dimension=vector.size):
            raise ValueError(f"the vector of a query is {found}; mend the embedder")
        within(scope)  # refuses what is no text, before anything is asked
        with self._place.asked() as handle:
            refuse_other_length(handle, vector)
            if self._index is None:
                return atlas_exact.nearest(handle, vector, k=k, scope=scope)
            return Searcher(self._index).nearest(handle, vector, k=k, scope=scope)

    def file(self, file_id: str) -> FileRecord | None:
        """Return the ledger's entry of a file."""
        with self._place.asked() as handle:
            row = ledger.find(handle, plain(file_id))
        return record_of(row) if row else None

    def files(self, scope: Scope | None = None, *, limit: int = 1000, offset: int = 0) -> list[FileRecord]:
        """List the ledger by file_id; without a scope, for the operator."""
        where = {} if scope is None else within(scope)
        with self._place.asked() as handle:
            return ledger.page_of_records(handle, where, limit=limit, offset=offset)

    def chunks(self, file_id: str, *, limit: int = 100, offset: int = 0) -> list[Chunk]:
        """List a file's current chunks in document order: by index, then by chunk id."""
        with self._place.asked() as handle:
            return atlas_read.page_of_chunks(handle, plain(file_id), limit=limit, offset=offset)

    def chunks_named(self, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return those of a file's current chunks that have one of these ids, by id."""
        found: dict[str, Chunk] = {}
        with self._place.asked() as handle:
            for ids in batches(dict.fromkeys(plain(each) for each in chunk_ids), BATCH):
                found |= atlas_read.named_chunks(handle, plain(file_id), ids)
        return found

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record."""
        with self._place.asked() as handle:
            return atlas_read.rows_at_rest(handle, plain(file_id), audit_of)

    def rows(self, file_id: str) -> Iterator[StoredChunk]:
        """Yield every row of a file, in force or not, by index and then by name; some hundred are held at a time."""
        with self._place.asked() as handle:
            row = ledger.find(handle, plain(file_id))
            yield from atlas_read.rows_of(handle, file_id, entry_of(row) if row else None)

    def owners(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """List, in order, the file_ids behind `after` that the ledger or any row names; rows may have no entry."""
        with self._place.asked() as handle:
            return atlas_read.owners_after(handle, plain(after) if after else "", limit=limit)

    def flag(self, file_id: str, flags: Mapping[str, Flags]) -> int:
        """Set `rag_strict` and `source_only` of a file's rows, by name; return how many rows changed."""
        with self._place.asked() as handle:
            return atlas_upkeep.set_flags(handle, plain(file_id), {plain(name): each for name, each in flags.items()})

    def compact(self) -> str:
        """Give back space, renew statistics and indexes; say in a sentence what was done. Readers may have to wait."""
        with self._place.asked() as handle:
            return atlas_upkeep.compact(handle)

    def current_space(self) -> str:
        """Return the space of this place that is in use; "" is the first."""
        with self._place.asked() as handle:
            return atlas_upkeep.current_space(handle)

    def switch(self, space: str) -> None:
        """Make another space of this place the one in use, in one write."""
        with self._place.asked() as handle:
            atlas_upkeep.switch_space(handle, space)

    def drop(self) -> None:
        """Remove this object's own space with all that is in it."""
        with self._place.asked() as handle:
            atlas_upkeep.drop_space(handle, self._place.space, index=self._index)

    def close(self) -> None:
        """Let go of connections and files."""
        self._place.close()


def _plain_names(record: FileRecord) -> None:
    """Refuse a record whose names could not be asked for later."""
    for name in (record.file_id, record.user_id, record.project_id):
        plain(name)

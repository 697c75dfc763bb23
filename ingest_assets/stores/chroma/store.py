"""Keep chunks and the ledger in Chroma, as `contract.py` promises: in a folder or on a server.

Two collections, as people who use Chroma expect: `chunks` (cosine; the text is the document) and `files`, the ledger. A
new version of a file is written beside the old one and comes into force by one write (`publish.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import EVERYTHING, Audit, FileRecord, Filter, Flags, Hit, Scope, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.audit import audit_of
from ingest_assets.stores.chroma.access import READS, restless, settled
from ingest_assets.stores.chroma.all_rows import owners_after, rows_of
from ingest_assets.stores.chroma.collections import ChromaPlace
from ingest_assets.stores.chroma.embedded.embedded_chroma import EmbeddedChroma
from ingest_assets.stores.chroma.ledger import ledger_entry, page_of_records, projects_of, write_entry
from ingest_assets.stores.chroma.ownership import claim
from ingest_assets.stores.chroma.publish import BATCH, add_generation, publish_generation, remove_rows
from ingest_assets.stores.chroma.read import chunks_of_scope, named_chunks, page_of_chunks, row_names, vectors_of
from ingest_assets.stores.chroma.rows import ChromaEntry
from ingest_assets.stores.chroma.search import ChromaSearch
from ingest_assets.stores.chroma.server import ServedChroma
from ingest_assets.stores.chroma.spaces import drop_space, space_in_use, use_space
from ingest_assets.stores.contract import require_generation
from ingest_assets.stores.incoming import noted, plain, require_search
from ingest_assets.stores.ownership import StoreOwner

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.chroma.access import ChromaAccess


class ChromaStore:
    """Chroma, embedded in a folder or served at a URL."""

    def __init__(
        self,
        location: str,
        *,
        tenant: str = "default_tenant",
        database: str = "default_database",
        headers: Mapping[str, str] | None = None,
        space: str = "",
    ) -> None:
        """Take a folder, or `http://host:port` with its tenant, database and the headers that carry a key."""
        place = ChromaPlace(tenant=tenant, database=database, headers=headers or {}, space=space)
        self._access: ChromaAccess
        if location.startswith(("http://", "https://")):
            self._access = ServedChroma(location, place)
        else:
            self._access = EmbeddedChroma(Path(location), ChromaPlace(space=space))
        self._searcher = ChromaSearch(self._access)

    def prepare(self, owner: StoreOwner | None = None, *, take_over: bool = False) -> None:
        """Make the collections and record whose files they hold; any number of times."""
        claim(self._access, owner, take_over=take_over)

    def replace(
        self,
        record: FileRecord,
        chunks: Iterable[EmbeddedChunk],
        *,
        expecting: int | None = None,
        rewrite: Collection[str] = (),
    ) -> FileRecord:
        """Make these chunks the file's only ones, at once, and keep the record; return it as kept."""
        with self._access.owning(plain(record.file_id)):
            return publish_generation(self._access, record, chunks, expecting=expecting, rewrite=rewrite)

    def add(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Put these chunks beside those that the file has, at once; return the record as kept."""
        with self._access.owning(plain(record.file_id)):
            return add_generation(self._access, record, chunks)

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        with self._access.owning(plain(record.file_id)):
            if self._begun_deletion(record.file_id):
                self._remove(record.file_id)
            before = ledger_entry(self._access, record.file_id)
            if before is None:
                entry = ChromaEntry(record=noted(record, None), token="", gone=False)
            else:
                entry = replace(before, record=noted(record, before.record))
            write_entry(self._access, entry, known=before is not None)
        return entry.record

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        """Remove a file's chunks and record; return the number of rows removed. Unknown file: 0.

        The ledger entry is marked first, which makes every row invisible, and removed last. Killed in between, the
        file is gone for readers, and a second call removes the rest.
        """
        with self._access.owning(plain(file_id)):
            before = ledger_entry(self._access, file_id)
            require_generation(file_id, before.record if before and not before.gone else None, expecting=expecting)
            if before is not None and not before.gone:
                marked = replace(before, token=before.token + "-gone", gone=True)
                write_entry(self._access, marked, known=True)
            return self._remove(file_id)

    def vectors_for(self, model: str, text_sha256s: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that the store already has for these texts, by text hash."""
        found: dict[str, Vector] = {}
        for hashes in batches(dict.fromkeys(plain(each) for each in text_sha256s), BATCH):
            found |= settled(self._access, partial(vectors_of, model=model, hashes=hashes))
        return found

    def search(self, vector: Vector, *, k: int, scope: Scope, filters: Filter = EVERYTHING) -> list[Hit]:
        """Return the k nearest chunks of the scope's current generations that the filter lets through, best first."""
        require_search(vector, k=k)
        return self._searcher.nearest(vector, k=k, scope=scope, filters=filters)

    def file(self, file_id: str) -> FileRecord | None:
        """Return the record of a file."""
        entry = ledger_entry(self._access, plain(file_id))
        return entry.record if entry and not entry.gone else None

    def files(self, scope: Scope | None = None, *, limit: int = 1000, offset: int = 0) -> list[FileRecord]:
        """List records by file_id; all users' without a scope."""
        with self._access.reading() as store:
            return page_of_records(store, scope, limit=limit, offset=offset)

    def projects(self, user_id: str) -> list[str]:
        """List in order the projects of a user that have a record. Reads the records of all the user's files."""
        with self._access.reading() as store:
            return projects_of(store, plain(user_id))

    def chunks(self, file_id: str, *, limit: int = 100, offset: int = 0) -> list[Chunk]:
        """List a file's current chunks in document order."""
        return settled(self._access, lambda store: page_of_chunks(store, plain(file_id), limit=limit, offset=offset))

    def chunks_named(self, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return a file's current chunks that have one of these ids, by id."""
        found: dict[str, Chunk] = {}
        for ids in batches(dict.fromkeys(plain(each) for each in chunk_ids), BATCH):
            found |= settled(self._access, partial(named_chunks, file_id=plain(file_id), chunk_ids=ids))
        return found

    def chunks_within(self, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Return the current chunks of all files of a scope that have one of these ids, by id, then by file."""
        found: list[Chunk] = []
        for ids in batches(dict.fromkeys(plain(each) for each in chunk_ids), BATCH):
            found += settled(self._access, partial(chunks_of_scope, scope=scope, chunk_ids=ids))
        return sorted(found, key=lambda chunk: (chunk.chunk_id, chunk.file_id))

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record."""
        for _ in range(READS):
            entry = ledger_entry(self._access, plain(file_id))
            audit = audit_of(entry.record if entry and not entry.gone else None, rows_of(self._access, file_id))
            after = ledger_entry(self._access, file_id)
            if (entry and entry.token) == (after and after.token):
                gone = ("its deletion was begun and not finished",) if entry and entry.gone else ()
                return replace(audit, problems=(*gone, *audit.problems))
        raise restless(self._access)

    def rows(self, file_id: str) -> Iterator[StoredChunk]:
        """Yield every row of a file, in force or not."""
        return rows_of(self._access, plain(file_id))

    def owners(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """List in order the file_ids after `after` that the ledger or any row names. Each call reads all row ids."""
        return owners_after(self._access, after=after, limit=limit)

    def flag(self, file_id: str, flags: Mapping[str, Flags]) -> int:
        """Set `rag_strict` and `source_only` of a file's rows, by name; return how many rows changed."""
        with self._access.owning(plain(file_id)):
            for names in batches(there := self._own(file_id, flags), BATCH):
                with self._access.writing() as store:
                    store.chunks.update(ids=names, metadatas=[asdict(flags[name]) for name in names])
        return len(there)

    def compact(self) -> str:
        """Free space on the disk."""
        return self._access.compact()

    def current_space(self) -> str:
        """Return the space of this place that is in use; "" is the first."""
        kept = self._access.scopes
        if kept is not None and (space := kept.space_in_use()) is not None:
            return space
        with self._access.building("space in use"), self._access.reading() as store:
            space = space_in_use(store)
            if kept is not None:
                kept.keep_space(space)
            return space

    def switch(self, space: str) -> None:
        """Make another space of this place the one in use, in one write."""
        with self._access.writing() as store:
            if self._access.scopes is not None:
                self._access.scopes.drop_space()
            use_space(store, space)

    def drop(self) -> None:
        """Remove this object's own space with all that is in it."""
        with self._access.writing() as store:
            if space_in_use(store) == store.place.space:
                raise ValueError(
                    f"{self._access.location}: the space in use cannot be dropped; switch to another first"
                )
            if self._access.scopes is not None:
                self._access.scopes.drop_all()
            drop_space(store)
        self.close()

    def connections(self) -> None:
        """Return None: an embedded store has no connections, and Chroma's client of a server does not count them."""

    def close(self) -> None:
        """Close connections and files; the next call opens them again."""
        self._access.close()

    def _begun_deletion(self, file_id: str) -> bool:
        entry = ledger_entry(self._access, file_id)
        return entry is not None and entry.gone

    def _remove(self, file_id: str) -> int:
        with self._access.reading() as store:
            names = row_names(store, file_id)
        remove_rows(self._access, names)
        with self._access.writing() as store:
            store.files.delete(ids=[file_id])
        return len(names)

    def _own(self, file_id: str, names: Iterable[str]) -> list[str]:
        """Return those of these names that are rows of the file."""
        there = set(settled(self._access, partial(row_names, file_id=file_id)))
        return [name for name in names if name in there]

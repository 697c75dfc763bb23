"""Write the store and copy each changed record into the index, so that neither is ever behind for long.

The file is announced before the store is written. A process that is killed between the two writes leaves the
announcement behind, and the next look reads that one record again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, cast

from ingest_assets.index.file_index import FileIndex
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.contract import VectorStore


def indexed(store: VectorStore, index: FileIndex) -> VectorStore:
    """Return the store with its changes copied into the index."""
    return cast("VectorStore", _IndexedStore(store, index))


class _IndexedStore:
    """A store that copies changed records into the index; what changes no record is passed on to the store."""

    def __init__(self, store: VectorStore, index: FileIndex) -> None:
        self._store = store
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def replace(
        self,
        record: FileRecord,
        chunks: Iterable[EmbeddedChunk],
        *,
        expecting: int | None = None,
        rewrite: Collection[str] = (),
    ) -> FileRecord:
        self._index.will_write(record.file_id)
        kept = self._store.replace(record, chunks, expecting=expecting, rewrite=rewrite)
        self._index.record(kept)
        return kept

    def note(self, record: FileRecord) -> FileRecord:
        self._index.will_write(record.file_id)
        kept = self._store.note(record)
        self._index.record(kept)
        return kept

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        self._index.will_write(file_id)
        rows = self._store.delete(file_id, expecting=expecting)
        self._index.forget(file_id)
        return rows

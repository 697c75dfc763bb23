"""Remove rows behind a store's back, as damage that `validate` has to find."""

from __future__ import annotations

from collections.abc import Iterable

from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from ingest_assets.stores.pgvector.rows import chunk_ids_of
from ingest_assets.stores.pgvector.store import PgVectorStore


def lose_rows(store: VectorStore, file_id: str, names: Iterable[str] | None = None) -> None:
    """Delete rows of a file; all of them, unless some are named. The record stays as it is."""
    going = [row.name for row in store.rows(file_id)] if names is None else list(names)
    if isinstance(store, ChromaStore):
        with store._access.writing() as handle:
            handle.chunks.delete(ids=going)
    elif isinstance(store, PgVectorStore):
        statement = store._client.tables.sql("DELETE FROM {chunks} WHERE file_id = %s AND chunk_id = ANY(%s)")
        with store._client.transaction() as connection:
            connection.execute(statement, (file_id, chunk_ids_of(file_id, going)))
    else:
        assert isinstance(store, AtlasStore)
        with store._place.asked() as handle:
            handle.chunks.delete_many({"_id": {"$in": going}})

"""Test that a store belongs to one bucket, and that other applications keep what is theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.errors import ConfigError
from ingest_assets.stages.upkeep.validate import validate
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets.stores.chroma.collections import collection
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.ownership import StoreOwner
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION, publish, texts_in, texts_of
from ingest_assets_tests.stores.conftest import Opener, new_database
from ingest_assets_tests.stores.notes import NOTES, TEXTS
from testing import mongo
from testing.postgres import Postgres, rows_of

LIBRARY = StoreOwner("9f3c", "/srv/library")
ARCHIVE = StoreOwner("71b0", "/srv/archive")


def test_a_store_refuses_a_second_bucket_and_keeps_the_files_of_the_first(open_store: Opener) -> None:
    first, second = open_store(), open_store()
    first.prepare(LIBRARY)
    publish(first, NOTES, TEXTS)
    with pytest.raises(ConfigError, match=r"belongs to the bucket /srv/library, not to /srv/archive.*--take-over"):
        second.prepare(ARCHIVE)
    assert texts_in(first, NOTES.file_id) == TEXTS
    first.prepare(LIBRARY)


def test_a_bucket_that_was_moved_keeps_its_store(open_store: Opener) -> None:
    open_store().prepare(LIBRARY)
    moved = StoreOwner(LIBRARY.id, "/mnt/new/library")
    open_store().prepare(moved)
    with pytest.raises(ConfigError, match="belongs to the bucket /mnt/new/library"):
        open_store().prepare(ARCHIVE)


def test_a_bucket_that_is_marked_later_keeps_its_store(open_store: Opener) -> None:
    open_store().prepare(StoreOwner("/srv/library", "/srv/library"))
    open_store().prepare(LIBRARY)
    open_store().prepare(StoreOwner("/srv/library", "/srv/library"))
    with pytest.raises(ConfigError, match="belongs to"):
        open_store().prepare(StoreOwner("1c1c", "/elsewhere"))


def test_a_store_can_be_taken_over(open_store: Opener) -> None:
    store = open_store()
    store.prepare(LIBRARY)
    publish(store, NOTES, TEXTS)
    store.prepare(ARCHIVE, take_over=True)
    with pytest.raises(ConfigError, match="belongs to the bucket /srv/archive"):
        store.prepare(LIBRARY)
    assert texts_in(store, NOTES.file_id) == TEXTS


def test_every_model_space_of_a_store_belongs_to_its_bucket(open_store: Opener) -> None:
    open_store().prepare(LIBRARY)
    with pytest.raises(ConfigError, match="belongs to the bucket /srv/library"):
        open_store("m2").prepare(ARCHIVE)


def test_a_store_of_the_release_before_opens_and_is_claimed(open_store: Opener) -> None:
    store = open_store()
    publish(store, NOTES, TEXTS)
    _take_marks_away(store)
    store.close()
    again = open_store()
    assert texts_in(again, NOTES.file_id) == TEXTS
    again.prepare(LIBRARY)
    with pytest.raises(ConfigError, match="belongs to the bucket /srv/library"):
        again.prepare(ARCHIVE)


def test_an_empty_store_of_the_release_before_opens(open_store: Opener) -> None:
    store = open_store()
    _take_marks_away(store)
    store.close()
    again = open_store()
    again.prepare(LIBRARY)
    publish(again, NOTES, TEXTS)
    assert texts_in(again, NOTES.file_id) == TEXTS


def _take_marks_away(store: object) -> None:
    """Make a store look as the release before left it."""
    if isinstance(store, ChromaStore):
        with store._access.writing() as handle:
            for each in (handle.chunks, handle.files):
                each.modify(metadata={"made_by": "-"})
    elif isinstance(store, PgVectorStore):
        with store._client.transaction() as connection:
            connection.execute("DROP TABLE IF EXISTS ingest_owner")
    else:
        assert isinstance(store, AtlasStore)
        with store._place.asked() as handle:
            handle.owner.drop()


# Chroma: another application's collections


def test_chroma_refuses_another_applications_chunks(tmp_path: Path) -> None:
    place = tmp_path / "chunks"  # Chroma keeps a client for each path, and pytest gives a path again
    theirs = _their_collection(place, "chunks")
    with pytest.raises(ConfigError, match=r"the collection chunks .*INGEST_CHROMA"):
        ChromaStore(str(place)).prepare(LIBRARY)
    assert theirs() == ["1", "2"]
    assert _collections(place) == {"chunks"}


def test_chroma_refuses_another_applications_files(tmp_path: Path) -> None:
    place = tmp_path / "files"  # Chroma keeps a client for each path, and pytest gives a path again
    theirs = _their_collection(place, "files")
    with pytest.raises(ConfigError, match="the collection files"):
        ChromaStore(str(place)).prepare()
    assert theirs() == ["1", "2"]
    assert _collections(place) == {"files"}


def test_chroma_refuses_another_applications_empty_collection(tmp_path: Path) -> None:
    place = tmp_path / "empty"  # Chroma keeps a client for each path, and pytest gives a path again
    _their_collection(place, "chunks", rows=0)
    with pytest.raises(ConfigError, match="the collection chunks"):
        ChromaStore(str(place)).prepare()


@pytest.mark.slow
def test_chroma_refuses_another_applications_collection_on_a_server(chroma_url: str) -> None:
    store = ChromaStore(chroma_url, database=new_database(chroma_url))
    with store._access.reading() as handle:
        place = {"tenant": handle.place.tenant, "database": handle.place.database}
        handle.server.delete_collection("chunks", **place)
        theirs = collection(handle.server, handle.place, name="chunks", metadata={"made_by": "somebody else"})
        theirs.add(ids=["1"], embeddings=[[1.0, 0.0]])
        again = ChromaStore(chroma_url, database=handle.place.database)
        with pytest.raises(ConfigError, match="the collection chunks"):
            again.prepare(LIBRARY)
        assert theirs.count() == 1
    store.close()


def test_rows_of_another_application_in_a_shared_chroma_collection_are_never_removed(tmp_path: Path) -> None:
    store = ChromaStore(str(tmp_path))
    store.prepare(LIBRARY)
    publish(store, NOTES, TEXTS)
    vector = [1.0] + [0.0] * (DIMENSION - 1)
    with store._access.writing() as handle:
        handle.chunks.add(ids=["theirs"], embeddings=[vector], metadatas=[{"file_id": NOTES.file_id}], documents=["x"])
        handle.chunks.add(ids=["other"], embeddings=[vector], metadatas=[{"file_id": "their file"}], documents=["x"])
    assert [each.findings for each in validate(store, kept=lambda record: None)] == [()]
    publish(store, NOTES, TEXTS[:3])
    assert store.delete(NOTES.file_id) == 3
    with store._access.reading() as handle:
        assert sorted(handle.chunks.get(include=[])["ids"]) == ["other", "theirs"]


def _their_collection(folder: Path, name: str, *, rows: int = 2) -> Callable[[], list[str]]:
    client = _client(folder)
    made = client.create_collection(name, embedding_function=None)
    ids = [str(number + 1) for number in range(rows)]
    if ids:
        made.add(ids=ids, embeddings=[[1.0, 0.0]] * rows, metadatas=[{"file_id": "x"}] * rows)
    return lambda: sorted(_client(folder).get_collection(name, embedding_function=None).get(include=[])["ids"])


def _collections(folder: Path) -> set[str]:
    return {each.name for each in _client(folder).list_collections()}


def _client(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


# PostgreSQL: another application's tables


THEIR_CHUNKS = "CREATE TABLE chunks (user_id text, project_id text, text_sha256 text, embedding vector(384))"


@pytest.mark.slow
@pytest.mark.parametrize("table", ["chunks", "files"])
def test_postgresql_refuses_another_applications_table_by_name_and_builds_nothing_on_it(
    postgres_server: Postgres, table: str
) -> None:
    url = postgres_server.new_database()
    rows_of(url, "CREATE EXTENSION IF NOT EXISTS vector")
    rows_of(url, THEIR_CHUNKS.replace("chunks", table))
    store = PgVectorStore(url, dimension=384)
    with pytest.raises(ConfigError, match=rf"the table public\.{table}.*INGEST_PGVECTOR_SCHEMA"):
        store.prepare(LIBRARY)
    made = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
    assert [name for (name,) in rows_of(url, made) if not name.startswith("pg_")] == [table]
    beside = PgVectorStore(url, dimension=384, schema="ingest")
    beside.prepare(LIBRARY)
    assert beside.files() == []
    beside.close()


@pytest.mark.slow
def test_postgresql_refuses_a_table_that_the_release_before_took_for_its_own(postgres_server: Postgres) -> None:
    url = postgres_server.new_database()
    store = PgVectorStore(url, dimension=384)
    store.prepare()
    store.close()
    rows_of(url, "DROP TABLE chunks")
    rows_of(url, THEIR_CHUNKS)
    with pytest.raises(ConfigError, match=r"the table public\.chunks"):
        store.prepare()
    with pytest.raises(ConfigError, match=r"the table public\.chunks"):
        store.files()
    store.close()


# MongoDB: another application's documents


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chunks", "files"])
def test_mongodb_refuses_a_database_where_another_application_uses_the_name(
    opened: Callable[..., AtlasStore], name: str
) -> None:
    store = opened()
    with store._place.asked() as handle:
        handle.chunks.database[name].insert_many([{"file_id": "x", "text": "theirs"}, {"_id": "x", "gone": False}])
    with pytest.raises(ConfigError, match=rf"the collection {name} .*MONGO_DB"):
        store.prepare(LIBRARY)
    with store._place.asked() as handle:
        assert handle.chunks.database.list_collection_names() == [name]
        assert handle.chunks.database[name].count_documents({}) == 2
        assert list(handle.chunks.database[name].index_information()) == ["_id_"]


@pytest.mark.slow
def test_documents_of_another_application_are_never_counted_changed_or_removed(
    opened: Callable[..., AtlasStore],
) -> None:
    store = opened()
    store.prepare()
    publish(store, NOTES, TEXTS)
    mongo.collection(store, "ingest_owner").drop()
    theirs = [{"_id": number, "file_id": file_id} for number, file_id in enumerate([NOTES.file_id, "their file", "z"])]
    mongo.collection(store, "chunks").insert_many([*theirs, {"_id": "text", "file_id": "their other file"}])
    mongo.collection(store, "files").insert_many([{"_id": "their file", "gone": False}, {"name": "no id of ours"}])
    store.prepare(LIBRARY)
    assert [record.file_id for record in store.files()] == [NOTES.file_id]
    examined = list(validate(store, kept=lambda record: None))
    assert [(each.file_id, each.findings) for each in examined] == [(NOTES.file_id, ())]
    publish(store, NOTES, texts_of("notes", 3))
    assert store.delete(NOTES.file_id) == 3
    assert mongo.collection(store, "chunks").count_documents({}) == 4
    assert mongo.collection(store, "files").count_documents({}) == 2
    following = opened(space="m2")
    following.prepare(LIBRARY)
    store.switch("m2")
    store.drop()
    assert mongo.collection(store, "chunks").count_documents({}) == 4

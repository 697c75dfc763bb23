"""Break a PostgreSQL server while a file is written: the file is whole afterwards, and the store works."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.pgvector import client as pgvector_client
from ingest_assets.stores.pgvector.client import TimeLimits
from ingest_assets.stores.pgvector.publish import BATCH
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, record_of, scope_of, texts_of, vector_of
from ingest_assets_tests.stores.small_disk import make_room, small_disk
from testing.postgres import Postgres, give_away

pytestmark = pytest.mark.slow

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    return postgres_server.new_database()


@pytest.fixture
def store(url: str) -> Iterator[PgVectorStore]:
    store = PgVectorStore(url, dimension=DIMENSION)
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    yield store
    store.close()


def terminate(url: str) -> None:
    """Cut off every connection to a database but the one that says so."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def interrupted(happens: Callable[[], object], *, at: int) -> Iterator[EmbeddedChunk]:
    for each in chunks_of(NOTES, texts_of("new", 1200)):
        if each.chunk.index == at:
            happens()
        yield each


def whole_and_working(store: PgVectorStore) -> None:
    """Check that nothing was changed, and that the next change is made."""
    assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == TEXTS
    assert len(store.search(vector_of("x"), k=100, scope=scope_of(NOTES))) == 12
    audit = store.audit(NOTES.file_id)
    assert (audit.rows, audit.stray, audit.problems) == (12, 0, ())
    assert store.replace(NOTES, chunks_of(NOTES, texts_of("mended", 3))).chunks == 3


@pytest.mark.parametrize("at", [BATCH, 1199])
def test_a_connection_cut_off_while_a_document_is_written(url: str, store: PgVectorStore, at: int) -> None:
    with pytest.raises(OutsideError, match="terminating connection"):
        store.replace(NOTES, interrupted(lambda: terminate(url), at=at))
    whole_and_working(store)


def test_idle_connections_that_were_cut_off_are_replaced(url: str, store: PgVectorStore) -> None:
    terminate(url)
    whole_and_working(store)


def test_a_server_that_is_started_anew_while_a_document_is_written(
    postgres_server: Postgres, store: PgVectorStore
) -> None:
    def restart() -> None:
        postgres_server.stop()
        postgres_server.start()

    with pytest.raises(OutsideError):
        store.replace(NOTES, interrupted(restart, at=900))
    whole_and_working(store)


def test_a_server_that_went_away_is_told_and_used_again_when_it_is_back(
    postgres_server: Postgres, store: PgVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_client, "_PATIENCE_S", 0.5)
    store.close()
    assert len(store.files()) == 1
    postgres_server.stop()
    try:
        with pytest.raises(OutsideError, match="is it there"):
            store.files()
    finally:
        postgres_server.start()
    whole_and_working(store)


@contextmanager
def file_held(url: str, store: PgVectorStore) -> Iterator[None]:
    """Be another writer of the file until the block ends."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (store._client.tables.lock_key(NOTES.file_id),))
        yield


def test_a_writer_does_not_wait_for_ever_for_another_one(url: str, store: PgVectorStore) -> None:
    hasty = PgVectorStore(url, dimension=DIMENSION, limits=TimeLimits(statement_s=0.2))
    with file_held(url, store):
        with pytest.raises(OutsideError, match="another writer held the file"):
            hasty.replace(NOTES, chunks_of(NOTES, texts_of("new", 3)))
        assert len(hasty.search(vector_of("x"), k=100, scope=scope_of(NOTES))) == 12
        other = record_of("other.txt")
        assert hasty.replace(other, chunks_of(other, TEXTS)).chunks == 12
        hasty.delete(other.file_id)
    whole_and_working(hasty)
    hasty.close()


def test_a_statement_that_takes_too_long_is_ended(url: str, store: PgVectorStore) -> None:
    hasty = PgVectorStore(url, dimension=DIMENSION, limits=TimeLimits(statement_s=0.2))
    hasty.files()
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE chunks")
        with pytest.raises(OutsideError, match="longer than a statement may"):
            hasty.search(vector_of("x"), k=1, scope=scope_of(NOTES))
    whole_and_working(hasty)
    hasty.close()


def test_more_readers_than_connections_are_told(store: PgVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector_client, "_PATIENCE_S", 0.2)
    store.close()
    listings = [store.rows(NOTES.file_id) for _ in range(pgvector_client._CONNECTIONS)]
    for listing in listings:
        next(listing)
    with pytest.raises(OutsideError, match="all 4 connections were in use"):
        store.files()
    for listing in listings:
        assert isinstance(listing, Generator)
        listing.close()
    whole_and_working(store)


def test_rows_that_a_trigger_drops_are_missed(url: str, store: PgVectorStore) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
            "CREATE TRIGGER thief BEFORE INSERT ON chunks FOR EACH ROW WHEN (NEW.index = 1) EXECUTE FUNCTION drop_row()"
        )
    with pytest.raises(OutsideError, match="holds 2 rows, not 3; does a trigger"):
        store.replace(NOTES, chunks_of(NOTES, texts_of("new", 3)))
    assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == TEXTS


@pytest.fixture
def small_place() -> Iterator[Path]:
    """A folder of the server's on a file system of 16 MB."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-disk-"))
    try:
        with small_disk(folder, size_mb=16):
            place = folder / "space"
            place.mkdir()
            give_away(place)
            yield place
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_is_told_and_leaves_the_file_whole(postgres_server: Postgres, small_place: Path) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{small_place}'")
    url = postgres_server.new_database(tablespace="small")
    store = PgVectorStore(url, dimension=DIMENSION)
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    with pytest.raises(OutsideError, match="make room on the server's disk"):
        store.replace(NOTES, chunks_of(NOTES, texts_of("new", 50_000)))
    assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == TEXTS
    make_room(small_place.parent, size_mb=64)
    assert store.compact()
    whole_and_working(store)
    store.close()
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {url.rsplit('/', 1)[-1]} WITH (FORCE)")
        connection.execute("DROP TABLESPACE small")

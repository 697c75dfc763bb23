"""Test what an operator can do wrong with PostgreSQL, each reported by name; and upgrades of tables."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from ingest_assets.errors import ConfigError, IngestError, OutsideError
from ingest_assets.stores.pgvector import client as pgvector_client
from ingest_assets.stores.pgvector.schema import MIGRATIONS, NEWEST, migrate
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, record_of, scope_of, texts_of, vector_of
from testing.postgres import PASSWORD, Postgres
from testing.servers import free_port

pytestmark = pytest.mark.slow

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)

Open = Callable[..., PgVectorStore]


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    return postgres_server.new_database()


@pytest.fixture
def opened() -> Iterator[Open]:
    stores: list[PgVectorStore] = []

    def open_one(url: str, *, dimension: int = DIMENSION, **more: Any) -> PgVectorStore:
        stores.append(PgVectorStore(url, dimension=dimension, **more))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


def refused(act: Callable[[], object], match: str, kind: type[IngestError] = ConfigError) -> None:
    """Expect an error whose every word, down to its causes, leaves the password out."""
    with pytest.raises(kind, match=match) as caught:
        act()
    told = "".join(traceback.format_exception(caught.value))
    assert not any(secret in told for secret in (PASSWORD, "s3cr", "p%40ss", "wrong-one"))


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def role(postgres_server: Postgres, url: str, *rights: str) -> str:
    """Make a user of its own with no rights but these; return the database's address as he sees it."""
    database = url.rsplit("/", 1)[-1]
    user = f"user_{database}"
    run(url, f"CREATE ROLE {user} LOGIN PASSWORD 'wrong-one'", *(right.format(user=user) for right in rights))
    return postgres_server.url(database, user=user, password="wrong-one")


# addresses


@pytest.mark.parametrize(
    "address",
    ["postgresql://ada:s3cr%zz@host/db", "http://ada:s3cr@host", "host", "postgresql://ada:s3cr@[::1/db"],
)
def test_an_address_that_is_none_is_not_repeated(address: str) -> None:
    refused(lambda: PgVectorStore(address, dimension=3), "INGEST_PGVECTOR is no address")


def test_a_wrong_password_a_database_and_a_user_that_are_not_there(postgres_server: Postgres, opened: Open) -> None:
    wrong = opened(postgres_server.url(password="wrong-one"))
    refused(wrong.prepare, r"password authentication failed.*INGEST_PGVECTOR")
    refused(wrong.files, r"postgresql://postgres@127\.0\.0\.1:\d+/postgres.*password")
    refused(opened(postgres_server.url("unheard_of")).prepare, '"unheard_of" does not exist; create it')
    refused(opened(postgres_server.url(user="nobody")).prepare, "INGEST_PGVECTOR")
    assert "s3cr" not in repr(wrong) + repr(wrong._client) + str(vars(wrong))


def test_a_server_that_is_away(opened: Open) -> None:
    store = opened(f"postgresql://ada:s3cr@127.0.0.1:{free_port()}/db")
    refused(store.prepare, r"127\.0\.0\.1.*is it there", OutsideError)
    refused(lambda: store.search(vector_of("x"), k=1, scope=scope_of(NOTES)), "is it there", OutsideError)


def test_a_password_that_was_changed_meanwhile_is_told(
    postgres_server: Postgres, url: str, opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pgvector_client, "_PATIENCE_S", 1.0)
    address = role(postgres_server, url, "GRANT ALL ON SCHEMA public TO {user}")
    store = opened(address)
    store.prepare()
    assert store.files() == []
    user = address.split("//")[1].split(":")[0]
    run(url, f"ALTER ROLE {user} PASSWORD 'changed'")
    run(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'")
    with caplog.at_level(logging.DEBUG):
        refused(store.files, "password authentication failed")
    assert "wrong-one" not in caplog.text


# extension, encoding, rights


def test_a_missing_extension_and_no_right_to_make_it(postgres_server: Postgres, url: str, opened: Open) -> None:
    run(url, "DROP EXTENSION vector")
    store = opened(role(postgres_server, url, "GRANT ALL ON SCHEMA public TO {user}"))
    refused(store.prepare, "CREATE EXTENSION vector in this database")
    opened(url).prepare()


def test_an_extension_that_was_dropped_or_is_too_old(url: str, opened: Open) -> None:
    opened(url).prepare()
    run(url, "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    refused(opened(url).files, "pgvector 0.7.4 is too old; ALTER EXTENSION vector UPDATE")
    run(url, "DROP EXTENSION vector CASCADE")
    refused(opened(url).files, "extension is gone")


def test_a_database_of_another_encoding(url: str, opened: Open) -> None:
    run(url, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    refused(opened(url.rpartition("/")[0] + "/latin").prepare, "encoding LATIN1")


def test_a_user_without_rights(postgres_server: Postgres, url: str, opened: Open) -> None:
    address = role(postgres_server, url)
    refused(opened(address).prepare, "permission denied for schema.*grant this user the right")
    opened(url).prepare()
    run(url, f"GRANT SELECT ON ingest_migrations TO {address.split('//')[1].split(':')[0]}")
    refused(opened(address).files, "permission denied for table files.*grant")


def test_a_user_who_may_only_use_what_is_prepared(postgres_server: Postgres, url: str, opened: Open) -> None:
    opened(url).prepare()
    store = opened(
        role(postgres_server, url, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}")
    )
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert len(store.search(vector_of("x"), k=50, scope=scope_of(NOTES))) == 12


# schemas


@pytest.mark.parametrize("done", range(NEWEST))
def test_an_older_schema_is_brought_up_to_date_with_what_is_in_it(url: str, opened: Open, done: int) -> None:
    store = opened(url)
    if done:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection, store._client.tables, location="here", upto=done)
        run(
            url,
            "INSERT INTO chunks SELECT 'old.txt', 'c' || n, 'ada', 'engines', 'old.txt', 'old', 'text/plain', n, 'old',"
            " 'h', 0, 3, '', '{}', '{}', 1, 'm', 32, 1, now(), NULL, NULL, array_fill(sqrt(1/32.0), '{32}')::vector"
            " FROM generate_series(0, 9) n",
        )
    refused(store.files, "ingest prepare")
    store.prepare()
    assert store.owners() == (["old.txt"] if done else [])
    assert store.delete("old.txt") == (10 if done else 0)
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert len(store.search(vector_of("x"), k=50, scope=scope_of(NOTES))) == 12


def test_the_numbers_of_the_steps_are_in_order() -> None:
    assert [number for number, _ in MIGRATIONS] == list(range(1, NEWEST + 1))


def test_steps_can_be_done_again_where_the_list_of_them_was_lost(url: str, opened: Open) -> None:
    store = opened(url)
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    run(url, "DELETE FROM ingest_migrations")
    store.prepare()
    assert len(store.chunks(NOTES.file_id)) == 12


def test_a_schema_of_a_newer_release_is_left_alone(url: str, opened: Open) -> None:
    opened(url).prepare()
    run(url, "INSERT INTO ingest_migrations (space, number) VALUES ('', 99)")
    refused(opened(url).prepare, "newer release .*99")
    refused(opened(url).files, "newer release")


def test_tables_of_another_model_are_left_alone(url: str, opened: Open) -> None:
    store = opened(url)
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    refused(opened(url, dimension=48).prepare, r"embedding is vector\(32\), the model gives vector\(48\).*new space")
    refused(opened(url, halfvec=True).files, r"halfvec\(32\)")
    refused(lambda: store.search(vector_of("x", 48), k=3, scope=scope_of(NOTES)), "another length")
    other = opened(url, dimension=48, space="larger")
    other.prepare()
    assert other.search(vector_of("x", 48), k=3, scope=scope_of(NOTES)) == []


def test_a_table_that_was_dropped_by_hand_is_told(url: str, opened: Open) -> None:
    store = opened(url)
    store.prepare()
    assert store.files() == []
    run(url, "DROP TABLE files")
    refused(store.files, "ingest prepare")
    run(url, "DROP TABLE chunks")
    refused(opened(url).files, "table chunks is gone")


def test_vectors_that_no_index_takes() -> None:
    refused(lambda: PgVectorStore("postgresql://h/d", dimension=3072), "not of 3072; halfvec takes up to 4000")
    refused(lambda: PgVectorStore("postgresql://h/d", dimension=5000, halfvec=True), "1 to 4000 numbers as halfvec")


def test_a_schema_of_its_own_is_made(url: str, opened: Open) -> None:
    stores = [opened(url, schema="Team_1"), opened(url)]
    for store in stores:
        store.prepare()
    stores[0].replace(NOTES, chunks_of(NOTES, TEXTS))
    assert [len(store.chunks(NOTES.file_id)) for store in stores] == [12, 0]


def test_many_may_prepare_at_once(url: str, opened: Open) -> None:
    stores = [opened(url, space="busy") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(PgVectorStore.prepare, stores))
    assert stores[0].files() == []

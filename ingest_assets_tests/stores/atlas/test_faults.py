"""Test servers that drop connections, refuse writes, restart or stay away; wrong addresses, passwords and rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas.errors import where_of
from ingest_assets.stores.atlas.publication import BATCH
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    chunks_of,
    texts_of,
)
from ingest_assets_tests.stores.notes import NOTES, TEXTS, found_texts, names_in
from testing import mongo
from testing.mongo import collection
from testing.servers import free_port

SECRET = "hunter%2B2"

slow = pytest.mark.slow


@contextmanager
def failing(server: mongo.Mongod, *commands: str, times: int = 10_000, **how: Any) -> Iterator[None]:
    """Have the server fail these commands."""
    server.admin("configureFailPoint", "failCommand", mode={"times": times}, data={"failCommands": commands, **how})
    try:
        yield
    finally:
        server.admin("configureFailPoint", "failCommand", mode="off")


@slow
@pytest.mark.parametrize("command", ["insert", "findAndModify", "update", "aggregate", "commitTransaction", "find"])
def test_a_connection_dropped_once_is_not_noticed(
    store: AtlasStore, mongo_replica_set: mongo.Mongod, command: str
) -> None:
    store.replace(NOTES, chunks_of(NOTES, texts_of("old", 5)))
    with failing(mongo_replica_set, command, times=1, closeConnection=True):
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert found_texts(store) == sorted(TEXTS)
    assert len(names_in(store)) == 12


@slow
@pytest.mark.parametrize("command", ["insert", "update", "aggregate", "delete"])
def test_connections_that_drop_leave_the_old_generation(
    opened: Callable[..., AtlasStore], mongo_replica_set: mongo.Mongod, command: str
) -> None:
    store = opened(mongo_replica_set.uri + "&timeoutMS=1500")
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, texts_of("old", 5)))
    with (
        failing(mongo_replica_set, command, closeConnection=True),
        pytest.raises(OutsideError, match=r"MongoDB at mongodb://127\.0\.0\.1"),
    ):
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert found_texts(store) == texts_of("old", 5)
    opened().replace(
        NOTES, chunks_of(NOTES, TEXTS)
    )  # it waits for the server to end the transaction that was left open
    assert (found_texts(store), len(names_in(store))) == (sorted(TEXTS), 12)


@slow
@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"errorCode": 14031}, "disk is full"),
        ({"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}, "replication timed out"),
        ({"errorCode": 50}, "too slow"),
    ],
)
def test_a_write_that_the_server_does_not_take_says_why(
    store: AtlasStore, mongo_replica_set: mongo.Mongod, how: dict[str, Any], match: str
) -> None:
    store.replace(NOTES, chunks_of(NOTES, texts_of("old", 5)))
    with failing(mongo_replica_set, "insert", **how), pytest.raises(OutsideError, match=match):
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert found_texts(store) == texts_of("old", 5)


@slow
def test_rows_that_are_refused_among_others_are_an_error_with_the_first_reason(store: AtlasStore) -> None:
    rule = {"text": {"$not": {"$regex": "paragraph [37] "}}}
    collection(store).database.command("collMod", "chunks", validator=rule)
    with pytest.raises(OutsideError, match=r"10 rows were written and 2 refused, the first because: .*validation"):
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert (store.file(NOTES.file_id), found_texts(store)) == (None, [])
    collection(store).database.command("collMod", "chunks", validator={})
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert len(names_in(store)) == 12


@slow
@pytest.mark.parametrize("kind", ["replica_set", "standalone"])
def test_a_server_that_is_restarted_midway_leaves_the_old_generation_or_goes_on(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with getattr(mongo, kind)(tmp_path_factory.mktemp(kind)) as server:
        store = AtlasStore(server.uri, dimension=DIMENSION)
        store.prepare()
        store.replace(NOTES, chunks_of(NOTES, TEXTS))

        def interrupted() -> Iterator[EmbeddedChunk]:
            yield from chunks_of(NOTES, texts_of("new", BATCH))
            server.stop()
            server.start()
            yield from list(chunks_of(NOTES, texts_of("new", BATCH + 5)))[BATCH:]

        expected = sorted(TEXTS)
        try:
            store.replace(NOTES, interrupted())
            expected = sorted(texts_of("new", BATCH + 5))
        except OutsideError:
            mongo.wait_for_primary(server)
        assert found_texts(store, k=1000) == expected
        store.replace(NOTES, chunks_of(NOTES, TEXTS[:3]))
        assert (found_texts(store), len(names_in(store))) == (TEXTS[:3], 3)
        store.close()


def test_a_server_that_is_away_is_an_outside_error() -> None:
    store = AtlasStore(f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200", dimension=2)
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1.*MONGO_URI"):
        store.prepare()


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://ada:{SECRET}@127.0.0.1:notaport/",
        f"mongodb://ada:{SECRET}:x@127.0.0.1/",
        f"mongodb://ada:{SECRET}@@/",
        f"postgres://ada:{SECRET}@127.0.0.1/",
        f"ada:{SECRET}@127.0.0.1",
    ],
)
def test_a_connection_string_that_is_none_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(ConfigError, match="MONGO_URI") as refused:
        AtlasStore(uri, dimension=2).prepare()
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_place_is_named_without_user_and_options() -> None:
    uri = f"mongodb+srv://ada:{SECRET}@one.example,two.example/admin?tlsCertificateKeyFilePassword=x"
    assert where_of(uri, "team") == "mongodb+srv://one.example,two.example/team"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongo.Mongod]:
    """A server that asks for a password, with a user who may read and write, and one who may only read."""
    folder = tmp_path_factory.mktemp("guarded")
    with mongo.standalone(folder) as server:
        for user, role in (("writer", "readWrite"), ("reader", "read")):
            roles = [{"role": role, "db": "team"}]
            server.admin("createUser", user, pwd="right", roles=roles)
        server.stop()
        server.arguments = ["--auth"]
        server.start()
        yield server


def uri_of(server: mongo.Mongod, user: str, password: str) -> str:
    return f"mongodb://{user}:{password}@127.0.0.1:{server.port}/?authSource=admin"


@slow
def test_a_wrong_password_is_a_config_error_that_does_not_show_it(guarded: mongo.Mongod) -> None:
    store = AtlasStore(uri_of(guarded, "writer", SECRET), database="team", dimension=DIMENSION)
    with pytest.raises(ConfigError, match=r"user or password.*MONGO_URI") as refused:
        store.prepare()
    assert SECRET not in str(refused.value)
    store.close()


@slow
def test_a_user_who_may_write_needs_no_more(guarded: mongo.Mongod) -> None:
    store = AtlasStore(uri_of(guarded, "writer", "right"), database="team", dimension=DIMENSION)
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert found_texts(store) == sorted(TEXTS)
    assert "compacted" in store.compact()
    store.close()


@slow
def test_missing_rights_are_a_config_error(guarded: mongo.Mongod) -> None:
    store = AtlasStore(uri_of(guarded, "reader", "right"), database="team", dimension=DIMENSION)
    with pytest.raises(ConfigError, match="readWrite"):
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
    store.close()

"""A reader that knows nothing of generations reads `chunks_in_force` and never sees two versions of a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from ingest_assets.errors import ConfigError
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets.stores.atlas.view import VIEW
from ingest_assets_tests.stores.builders import chunks_of, publish, record_of, texts_of
from testing import mongo

pytestmark = pytest.mark.slow

RECORD = record_of("notes.txt")
VERSIONS = [texts_of(f"version {number}", 300) for number in range(2)]


@pytest.fixture(params=["transactions", "standalone"])
def server(request: pytest.FixtureRequest) -> mongo.Mongod:
    kind = "mongo_replica_set" if request.param == "transactions" else "mongo_standalone"
    server: mongo.Mongod = request.getfixturevalue(kind)
    return server


@pytest.fixture
def store(server: mongo.Mongod, opened: Callable[..., AtlasStore]) -> AtlasStore:
    store = opened(server.uri)
    store.prepare()
    return store


@pytest.fixture
def view(store: AtlasStore, server: mongo.Mongod) -> Iterator[Collection[dict[str, Any]]]:
    """The view, as another program opens it."""
    with MongoClient[dict[str, Any]](server.uri) as client:
        yield client[store._place._database][VIEW]


def versions_seen(view: Collection[dict[str, Any]]) -> set[str]:
    found = view.find({"user_id": RECORD.user_id, "project_id": RECORD.project_id, "filename": RECORD.filename})
    return {row["text"].partition(":")[0] for row in found}


def test_while_a_file_is_published_the_view_shows_one_version(
    store: AtlasStore, view: Collection[dict[str, Any]]
) -> None:
    publish(store, RECORD, VERSIONS[0])
    done, seen = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            seen.append(versions_seen(view))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(6):
        publish(store, replace(RECORD, version=f"v{number}"), VERSIONS[(number + 1) % 2])
    done.set()
    reader.join()
    assert {len(each) for each in seen} <= {0, 1}
    assert {name for each in seen for name in each} == {"version 0", "version 1"}


def test_rows_of_a_publication_that_died_are_not_shown(store: AtlasStore, view: Collection[dict[str, Any]]) -> None:
    publish(store, RECORD, VERSIONS[0])

    def dies() -> Iterator[Any]:
        yield from chunks_of(RECORD, texts_of("version 1", 1200))  # the first batch is written
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        store.replace(RECORD, dies())
    assert view.database["chunks"].count_documents({}) > len(VERSIONS[0])
    assert view.count_documents({}) == len(VERSIONS[0])
    assert sorted(row["text"] for row in view.find()) == sorted(VERSIONS[0])


def test_a_deleted_file_and_rows_of_others_are_not_shown(store: AtlasStore, view: Collection[dict[str, Any]]) -> None:
    kept = publish(store, record_of("kept.txt"), ["a text that stays"])
    gone = publish(store, RECORD, VERSIONS[0])
    store.delete(gone.file_id)
    view.database["chunks"].insert_one({"_id": 7, "text": "of another program", "file_id": kept.file_id})
    (row,) = view.find()
    assert (row["text"], row["file_id"], row["filename"]) == ("a text that stays", kept.file_id, "kept.txt")
    assert {"embedding", "pages", "section", "index"} <= row.keys()


def test_a_filter_on_the_owner_is_applied_before_rows_are_looked_up(
    store: AtlasStore, view: Collection[dict[str, Any]]
) -> None:
    publish(store, RECORD, ["words"])
    plan = view.find({"user_id": "ada", "project_id": "engines"}).explain()
    assert "'indexName': 'scope'" in str(plan)


def test_after_a_change_of_model_the_view_shows_the_new_space(
    server: mongo.Mongod, opened: Callable[..., AtlasStore], store: AtlasStore, view: Collection[dict[str, Any]]
) -> None:
    publish(store, RECORD, ["by the old model"])
    following = opened(server.uri, space="next")
    following.prepare()
    publish(following, RECORD, ["by the new model"])
    assert [row["text"] for row in view.find()] == ["by the old model"]
    store.switch("next")
    assert [row["text"] for row in view.find()] == ["by the new model"]
    following.prepare()
    assert [row["text"] for row in view.find()] == ["by the new model"]


def test_a_collection_of_another_program_under_this_name_is_refused(
    server: mongo.Mongod, opened: Callable[..., AtlasStore]
) -> None:
    store = opened(server.uri)
    with MongoClient[dict[str, Any]](server.uri) as client:
        client[store._place._database][VIEW].insert_one({"text": "theirs"})
    with pytest.raises(ConfigError, match=VIEW):
        store.prepare()

"""Test the Vector Search index: made, waited for, corrected; late, unfinished or missing, which is always reported."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.stores.atlas.searching import search as atlas_search
from ingest_assets.stores.atlas.searching import search_index as atlas_index
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.atlas.failing import fail_nearby
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    chunks_of,
    record_of,
    scope_of,
    texts_of,
    vector_of,
)
from testing import mongo

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)

_databases = count()

pytestmark = pytest.mark.slow


class Opener:
    """Opens stores on one empty database, behind a search that takes and lags as long as it is told."""

    def __init__(self, replica_set: mongo.Mongod, ending: ExitStack) -> None:
        self._replica_set, self._ending, self._database = replica_set, ending, f"index{next(_databases)}"

    def __call__(self, *, build_s: float = 0.05, lag_s: float = 0.0, **options: Any) -> AtlasStore:
        search = mongo.with_search(self._replica_set, build_s=build_s, lag_s=lag_s)
        return self.at(self._ending.enter_context(search), **options)

    def at(self, uri: str, **options: Any) -> AtlasStore:
        given: dict[str, Any] = {"database": self._database, "dimension": DIMENSION, "vector_search": True} | options
        store = AtlasStore(uri, **given)
        self._ending.callback(store.close)
        return store


@pytest.fixture
def opened(mongo_replica_set: mongo.Mongod) -> Iterator[Opener]:
    with ExitStack() as ending:
        yield Opener(mongo_replica_set, ending)


def found_texts(store: AtlasStore, *, k: int = 100) -> list[str]:
    return sorted(hit.chunk.text for hit in store.search(vector_of("query"), k=k, scope=scope_of(NOTES)))


def index_of(store: AtlasStore) -> dict[str, Any]:
    assert store._index is not None
    with store._place.asked() as handle:
        state = store._index.state(handle)
    assert state is not None
    return state


def change(store: AtlasStore, definition: dict[str, Any]) -> None:
    assert store._index is not None
    with store._place.asked() as handle:
        handle.chunks.update_search_index(store._index.name, definition)


def test_the_index_is_made_once_and_waited_for(opened: Opener) -> None:
    store = opened(build_s=0.4)
    store.prepare()
    made = index_of(store)
    assert (made["queryable"], made["type"], made["name"]) == (True, "vectorSearch", "vectors")
    vector, *filters = made["latestDefinition"]["fields"]
    assert vector == {"type": "vector", "path": "embedding", "numDimensions": DIMENSION, "similarity": "cosine"}
    assert {"user_id", "project_id", "file_id", "generation"} <= {field["path"] for field in filters}
    store.prepare()
    assert index_of(store)["id"] == made["id"]
    assert index_of(store)["latestDefinitionVersion"] == {"version": 0}


def test_an_index_of_an_older_definition_is_mended_and_what_a_team_added_stays(opened: Opener) -> None:
    store = opened()
    store.prepare()
    fields = index_of(store)["latestDefinition"]["fields"]
    change(store, {"fields": [*fields[:3], {"type": "filter", "path": "media_type"}]})
    store.prepare()
    paths = {field["path"] for field in index_of(store)["latestDefinition"]["fields"]}
    assert paths == {field["path"] for field in fields} | {"media_type"}
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert found_texts(store) == sorted(TEXTS)
    version = index_of(store)["latestDefinitionVersion"]
    store.prepare()
    assert index_of(store)["latestDefinitionVersion"] == version


def test_each_space_has_an_index_of_its_own(opened: Opener) -> None:
    store = opened(space="bge")
    store.prepare()
    assert index_of(store)["name"] == "vectors_bge"


def test_an_index_that_takes_too_long_to_build_is_said(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas_index, "BUILD_S", 0.2)
    with pytest.raises(OutsideError, match=r"still building the search index vectors.*ATLAS_VECTOR=0"):
        opened(build_s=60).prepare()


def test_a_search_without_an_index_is_no_empty_answer(opened: Opener) -> None:
    store = opened()
    opened.at(store._place._uri, vector_search=False).replace(NOTES, chunks_of(NOTES, TEXTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas_search, "SEARCH_S", 0.2)
        with pytest.raises(ConfigError, match=r"no search index vectors on chunks"):
            found_texts(store)


def test_a_search_of_an_index_that_is_being_built_is_no_empty_answer(opened: Opener) -> None:
    store = opened(build_s=60)
    opened.at(store._place._uri, vector_search=False).replace(NOTES, chunks_of(NOTES, TEXTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas_index, "BUILD_S", 0.1)
        patch.setattr(atlas_search, "SEARCH_S", 0.2)
        with pytest.raises(OutsideError, match="still building"):
            store.prepare()
        with pytest.raises(OutsideError, match="still building"):
            found_texts(store)


def test_a_server_without_vector_search_is_a_config_error(mongo_replica_set: mongo.Mongod) -> None:
    store = AtlasStore(mongo_replica_set.uri, database="plain", dimension=DIMENSION, vector_search=True)
    with pytest.raises(ConfigError, match="ATLAS_VECTOR=0"):
        store.prepare()
    store.close()


def test_a_reader_of_a_late_index_sees_whole_documents_and_never_none(opened: Opener) -> None:
    writer = opened(lag_s=0.4)
    writer.prepare()
    reader = opened.at(writer._place._uri)
    writer.replace(NOTES, chunks_of(NOTES, texts_of("version 0", 12)))
    seen = set()

    def write() -> None:
        for turn in range(1, 5):
            writer.replace(NOTES, chunks_of(NOTES, texts_of(f"version {turn}", 12)))

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not writing.done():
            for k in (100, 12, 3):
                hits = reader.search(vector_of("anything"), k=k, scope=scope_of(NOTES))
                versions = {hit.chunk.text.partition(":")[0] for hit in hits}
                assert (len(hits), len(versions)) == (min(k, 12), 1), versions
                seen |= versions
        writing.result()
    assert len(seen) > 1


def test_an_index_that_does_not_catch_up_leaves_the_old_generation(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(lag_s=1.0)
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    monkeypatch.setattr(atlas_index, "CATCH_UP_S", 0.2)
    with pytest.raises(OutsideError, match=r"notes\.txt: the search index vectors .* lags behind"):
        store.replace(NOTES, chunks_of(NOTES, texts_of("new", 5)))
    assert found_texts(store) == sorted(TEXTS)


def test_rows_that_no_generation_owns_take_no_place_among_the_answers(opened: Opener) -> None:
    store = opened()
    store.prepare()
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    fail_nearby(store)
    assert found_texts(store, k=12) == sorted(TEXTS)
    assert found_texts(store) == sorted(TEXTS)


def test_an_index_finds_what_comparing_one_by_one_finds(opened: Opener) -> None:
    store = opened()
    store.prepare()
    exact = opened.at(store._place._uri, vector_search=False)
    store.replace(NOTES, chunks_of(NOTES, texts_of("many", 300)))
    store.replace(record_of("copy.txt"), chunks_of(record_of("copy.txt"), texts_of("many", 20)))
    for query in ("one", "two", "many: paragraph 7 of this document"):
        by_index = store.search(vector_of(query), k=30, scope=scope_of(NOTES))
        one_by_one = exact.search(vector_of(query), k=30, scope=scope_of(NOTES))
        assert [hit.chunk for hit in by_index] == [hit.chunk for hit in one_by_one]
        assert [hit.score for hit in by_index] == pytest.approx([hit.score for hit in one_by_one], abs=1e-6)

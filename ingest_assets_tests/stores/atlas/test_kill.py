"""Kill a writer to MongoDB before and after each of its writes, while another process searches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.atlas.killed_writer import ADDED, EDITED, NEW, OLD, RECORD, act
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, scope_of, vector_of
from ingest_assets_tests.stores.killing import KilledAt, killed_writer, moments, watching_reader
from testing import mongo
from testing.soaking import SOAKING, share

Place = tuple[str, str, str, str]
"""Connection string, database, whether it searches by index, and how many rows a transaction may remove."""

pytestmark = pytest.mark.slow

_databases = count()


_PLACES = ["transactions", "steps", "search"]
_FURTHER_PLACES = ["standalone", "search in steps"]
"""Other mixtures of the same two ways to publish and the same two ways to search, for the soak."""


@pytest.fixture(params=[*_PLACES, *(_FURTHER_PLACES if SOAKING else [])])
def place(request: pytest.FixtureRequest) -> Place:
    """The place of an empty store that publishes in one transaction or in steps, on each kind of server."""
    database, at_once = f"killed{next(_databases)}", "0" if "steps" in request.param else "1000"
    if request.param.startswith("search"):
        return request.getfixturevalue("atlas_search_uri"), database, "1", at_once
    kind = "mongo_standalone" if request.param == "standalone" else "mongo_replica_set"
    server: mongo.Mongod = request.getfixturevalue(kind)
    return server.uri, database, "0", at_once


@pytest.fixture
def store(place: Place) -> Iterator[AtlasStore]:
    store = AtlasStore(place[0], database=place[1], dimension=DIMENSION, vector_search=place[2] == "1")
    store.prepare()
    store.replace(RECORD, chunks_of(RECORD, OLD))
    yield store
    store.close()


@pytest.fixture
def killed_at(place: Place) -> Iterator[KilledAt]:
    with killed_writer("atlas", *place) as killed_at:
        yield killed_at


def every_row(store: AtlasStore) -> list[tuple[Any, ...]]:
    """Return all of the file's rows, but for what tells one writing from another."""
    rows = list(store.rows(RECORD.file_id))
    assert all(row.in_force and row.vector is not None for row in rows)
    return [(row.chunk, np.asarray(row.vector).tobytes(), row.model, row.filename, row.source) for row in rows]


def texts_in(store: AtlasStore) -> list[str]:
    return [chunk.text for chunk in store.chunks(RECORD.file_id)]


def different_moments() -> Iterator[tuple[int, str]]:
    """Go through the moments before and after each write; the gate goes without those that follow an earlier one.

    After a write the database is as it is before the next one. The soak kills at both moments.
    """
    return ((nth, moment) for nth, moment in moments() if SOAKING or nth == 1 or moment == "after")


@pytest.mark.parametrize(
    ("action", "after", "named"),
    [("replace", NEW, "new"), ("edit", EDITED, "edited"), ("add", [*OLD, *ADDED], "added")],
)
def test_a_killed_publication_is_all_old_or_all_new(
    store: AtlasStore, place: Place, killed_at: KilledAt, action: str, after: list[str], named: str
) -> None:
    act(store, action)
    never_crashed = every_row(store)
    outcomes = []
    with watching_reader("atlas", *place) as seen:
        for nth, moment in different_moments():
            store.replace(RECORD, chunks_of(RECORD, OLD))
            if not killed_at(action, nth, moment):
                break
            in_force = texts_in(store)
            assert in_force in (OLD, after), (nth, moment)
            assert len(store.search(vector_of("x"), k=100, scope=scope_of(RECORD))) == len(in_force)
            assert store.audit(RECORD.file_id).problems == (), (nth, moment)
            outcomes.append(in_force == after)
            if action != "add" or in_force == OLD:  # what was added cannot be added twice
                act(store, action)
            assert every_row(store) == never_crashed, (nth, moment)
        looked = seen()
    assert set(looked) == {"old", named}, looked
    # It turns once: what was killed before a write that is over afterwards is old up to there and new from there on.
    assert outcomes == sorted(outcomes) and {False, True} == set(outcomes)
    assert len(outcomes) >= share(1 + 5, 2 * 5)


def test_a_killed_deletion_is_all_there_or_gone(store: AtlasStore, place: Place, killed_at: KilledAt) -> None:
    outcomes = []
    with watching_reader("atlas", *place) as seen:
        for nth, moment in different_moments():
            store.replace(RECORD, chunks_of(RECORD, OLD))
            if not killed_at("delete", nth, moment):
                break
            hits = store.search(vector_of("x"), k=100, scope=scope_of(RECORD))
            there = store.file(RECORD.file_id) is not None
            assert texts_in(store) == (OLD if there else []), (nth, moment)
            assert len(hits) == (len(OLD) if there else 0), (nth, moment)
            outcomes.append(there)
            store.delete(RECORD.file_id)
            assert list(store.rows(RECORD.file_id)) == [], (nth, moment)
            assert store.owners() == []
        looked = seen()
    assert set(looked) == {"old", "none"}, looked
    # The mark, the rows in four writes, the record; it turns at the mark.
    assert outcomes == [True] + [False] * share(1 + 4 + 1, 1 + 2 * 4 + 2)


def test_a_file_killed_in_deletion_can_be_put_back(store: AtlasStore, killed_at: KilledAt) -> None:
    assert killed_at("delete", 2, "after")
    store.replace(RECORD, chunks_of(RECORD, NEW))
    assert texts_in(store) == NEW
    assert len(list(store.rows(RECORD.file_id))) == len(NEW)


def test_a_failure_noted_after_a_killed_deletion_brings_nothing_back(store: AtlasStore, killed_at: KilledAt) -> None:
    assert killed_at("delete", 2, "after")
    store.note(RECORD)
    assert texts_in(store) == []
    assert store.search(vector_of("x"), k=100, scope=scope_of(RECORD)) == []
    assert list(store.rows(RECORD.file_id)) == []


def test_a_first_publication_that_is_killed_shows_nothing(store: AtlasStore, killed_at: KilledAt) -> None:
    for nth, moment in different_moments():
        store.delete(RECORD.file_id)
        if not killed_at("replace", nth, moment):
            break
        assert texts_in(store) in ([], NEW)
        assert (store.file(RECORD.file_id) is None) == (texts_in(store) == [])
        assert len(store.files()) == (1 if texts_in(store) else 0)
        store.replace(RECORD, chunks_of(RECORD, NEW))
        assert len(list(store.rows(RECORD.file_id))) == len(NEW)

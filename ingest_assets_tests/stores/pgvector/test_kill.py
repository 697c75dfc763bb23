"""Kill a writer to PostgreSQL before and after each of its statements, while another process searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from ingest_assets.ledger_records import StoredChunk
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, scope_of, vector_of
from ingest_assets_tests.stores.killing import KilledAt, killed_writer, watching_reader
from ingest_assets_tests.stores.pgvector.killed_writer import ADDED, NEW, OLD, RECORD
from testing.postgres import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    return postgres_server.new_database()


@contextmanager
def opened(url: str) -> Iterator[PgVectorStore]:
    store = PgVectorStore(url, dimension=DIMENSION)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def store(url: str) -> Iterator[PgVectorStore]:
    with opened(url) as store:
        store.replace(RECORD, chunks_of(RECORD, OLD))
        yield store


@pytest.fixture
def never_crashed(postgres_server: Postgres) -> Iterator[PgVectorStore]:
    with opened(postgres_server.new_database()) as store:
        yield store


@pytest.fixture
def killed_at(url: str) -> Iterator[KilledAt]:
    with killed_writer("pgvector", url) as killed_at:
        yield killed_at


def every_row(store: PgVectorStore) -> list[tuple[StoredChunk, list[float]]]:
    """Return all of the file's rows but for when and by which generation they were written."""
    rows = []
    for row in store.rows(RECORD.file_id):
        assert row.vector is not None and row.in_force
        rows.append((replace(row, vector=None, generation=0, created=""), row.vector.tolist()))
    return rows


def answers(store: PgVectorStore) -> list[tuple[str, float]]:
    hits = store.search(vector_of("only new 3"), k=5, scope=scope_of(RECORD))
    return [(hit.chunk.text, round(hit.score, 5)) for hit in hits]


def texts_in(store: PgVectorStore) -> list[str]:
    return [chunk.text for chunk in store.chunks(RECORD.file_id)]


def tried(
    action: str, *, store: PgVectorStore, killed_at: KilledAt, after: list[str], again: Callable[[int, bool], None]
) -> list[bool]:
    """Kill an action at each of its moments; return, for each, whether it was in force, and do it again."""
    outcomes: list[bool] = []
    for nth in count(1):
        store.replace(RECORD, chunks_of(RECORD, OLD))
        if not killed_at(action, nth):
            return outcomes
        in_force = texts_in(store)
        assert in_force in (OLD, after), nth
        assert len(store.search(vector_of("x"), k=100, scope=scope_of(RECORD))) == len(in_force)
        audit = store.audit(RECORD.file_id)
        assert (audit.rows, audit.stray, audit.problems) == (len(in_force), 0, ()), nth
        outcomes.append(in_force == after)
        again(nth, in_force == after)
    raise AssertionError("an action has an end")


def turns_once(outcomes: list[bool], *, moments: int) -> None:
    """Check that it was killed often enough, and that it turned at the commit: the last statement there is."""
    assert len(outcomes) >= moments, len(outcomes)
    assert outcomes == [False] * (len(outcomes) - 1) + [True]


def test_a_killed_replacement_is_all_old_or_all_new(
    store: PgVectorStore, url: str, killed_at: KilledAt, never_crashed: PgVectorStore
) -> None:
    never_crashed.replace(RECORD, chunks_of(RECORD, NEW))

    def again(nth: int, in_force: bool) -> None:
        store.replace(RECORD, chunks_of(RECORD, NEW))
        assert every_row(store) == every_row(never_crashed), (nth, in_force)
        assert answers(store) == answers(never_crashed)

    with watching_reader("pgvector", url) as seen:
        outcomes = tried("replace", store=store, killed_at=killed_at, after=NEW, again=again)
        assert set(seen()) == {"old", "new"}
    turns_once(outcomes, moments=40)


def test_a_killed_addition_is_none_or_all(
    store: PgVectorStore, url: str, killed_at: KilledAt, never_crashed: PgVectorStore
) -> None:
    never_crashed.replace(RECORD, chunks_of(RECORD, ADDED))

    def again(nth: int, in_force: bool) -> None:
        if not in_force:
            store.add(RECORD, list(chunks_of(RECORD, ADDED))[len(OLD) :])
        assert every_row(store) == every_row(never_crashed), nth

    with watching_reader("pgvector", url) as seen:
        outcomes = tried("add", store=store, killed_at=killed_at, after=ADDED, again=again)
        assert set(seen()) == {"old", "added"}
    turns_once(outcomes, moments=20)


def test_a_killed_deletion_is_all_there_or_gone(store: PgVectorStore, url: str, killed_at: KilledAt) -> None:
    def again(nth: int, in_force: bool) -> None:
        assert (store.file(RECORD.file_id) is None) == in_force
        store.delete(RECORD.file_id)
        assert (every_row(store), store.files(), store.owners()) == ([], [], []), nth

    with watching_reader("pgvector", url) as seen:
        outcomes = tried("delete", store=store, killed_at=killed_at, after=[], again=again)
        assert set(seen()) == {"old", "none"}
    turns_once(outcomes, moments=10)

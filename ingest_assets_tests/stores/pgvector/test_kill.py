"""A writer is killed before and after every statement it sends, while another process searches."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from ingest_assets.ledger_records import StoredChunk
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION, chunks_of, scope_of, vector_of
from ingest_assets_tests.stores.pgvector.killed_writer import ADDED, NEW, OLD, RECORD
from testing.postgres import Postgres

ROOT = Path(__file__).resolve().parents[3]
CHILD_S = 120.0

KilledAt = Callable[[str, int], bool]

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


@contextmanager
def process(name: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of this package until the block ends."""
    command = [sys.executable, "-m", f"ingest_assets_tests.stores.pgvector.{name}", url]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate(timeout=CHILD_S)


@pytest.fixture
def killed_at(url: str) -> Iterator[KilledAt]:
    """Do an action in a child that is killed at its n-th moment; tell whether it came to that."""
    with process("killed_writer", url) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        requests, replies = parent.stdin, parent.stdout

        def killed_at(action: str, nth: int) -> bool:
            requests.write(f"{action} {nth}\n")
            requests.flush()
            ended = replies.readline()
            assert ended in ("0\n", f"-{signal.SIGKILL.value}\n")
            return ended != "0\n"

        yield killed_at


@contextmanager
def watched(url: str) -> Iterator[Callable[[], set[str]]]:
    """Search in another process until the block asks what was seen."""
    with process("watching_reader", url) as reader:

        def seen() -> set[str]:
            output, _ = reader.communicate(timeout=CHILD_S)
            assert reader.returncode == 0
            return set(json.loads(output.splitlines()[-1]))

        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        yield seen


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
    outcomes = []
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

    with watched(url) as seen:
        outcomes = tried("replace", store=store, killed_at=killed_at, after=NEW, again=again)
        assert seen() == {"old", "new"}
    turns_once(outcomes, moments=40)


def test_a_killed_addition_is_none_or_all(
    store: PgVectorStore, url: str, killed_at: KilledAt, never_crashed: PgVectorStore
) -> None:
    never_crashed.replace(RECORD, chunks_of(RECORD, ADDED))

    def again(nth: int, in_force: bool) -> None:
        if not in_force:
            store.add(RECORD, list(chunks_of(RECORD, ADDED))[len(OLD) :])
        assert every_row(store) == every_row(never_crashed), nth

    with watched(url) as seen:
        outcomes = tried("add", store=store, killed_at=killed_at, after=ADDED, again=again)
        assert seen() == {"old", "added"}
    turns_once(outcomes, moments=20)


def test_a_killed_deletion_is_all_there_or_gone(store: PgVectorStore, url: str, killed_at: KilledAt) -> None:
    def again(nth: int, in_force: bool) -> None:
        assert (store.file(RECORD.file_id) is None) == in_force
        store.delete(RECORD.file_id)
        assert (every_row(store), store.files(), store.owners()) == ([], [], []), nth

    with watched(url) as seen:
        outcomes = tried("delete", store=store, killed_at=killed_at, after=[], again=again)
        assert seen() == {"old", "none"}
    turns_once(outcomes, moments=10)

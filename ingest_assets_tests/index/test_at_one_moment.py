"""Test that sensor, listener and runs may write the index at one moment, in processes and on hosts of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread, Timer

import pytest
from sqlalchemy import Connection

from ingest_assets.index.database import Database
from ingest_assets.index.state_change import StateChange
from ingest_assets_tests.index.files import Index, item, record

_AHEAD_S = 0.5
"""What waits for the first writer has come to its place by then, unless the machine is very busy."""


@dataclass
class Halted(Index):
    """An index that stays in its first transaction, after what it wrote there, until it may go on."""

    is_in: Event = field(default_factory=Event)
    may_go_on: Event = field(default_factory=Event)

    def hear(self, connection: Connection, change: StateChange) -> None:
        super().hear(connection, change)
        self.is_in.set()
        assert self.may_go_on.wait(timeout=30)


@pytest.fixture
def index(database: Database) -> Index:
    return Index(database)


@contextmanager
def halted(database: Database, act: Callable[[Halted], object]) -> Iterator[None]:
    """Let another writer halt inside of its transaction; it goes on while the body runs."""
    other, failures = Halted(Database(database._url.render_as_string(hide_password=False))), list[BaseException]()

    def run() -> None:
        try:
            act(other)
        except BaseException as error:  # noqa: BLE001 - it is raised by the test
            failures.append(error)

    thread = Thread(target=run)
    thread.start()
    assert other.is_in.wait(timeout=30)
    going_on = Timer(_AHEAD_S, other.may_go_on.set)
    going_on.start()
    yield
    going_on.join()
    thread.join(timeout=60)
    other.database.close()
    if failures:
        raise failures[0]


def test_two_looks_at_one_moment_find_a_new_file_once(database: Database, index: Index) -> None:
    with halted(database, lambda other: other.look(item("a"), item("b"))):
        look = index.look(item("a"), item("b"), item("c"))
    assert (look.new, index.states()) == (1, [("c", "pending")])
    assert sorted(index.waiting()) == ["a", "b", "c"]


def test_looks_that_see_each_others_files_in_another_order_do_not_wait_for_each_other(
    database: Database, index: Index
) -> None:
    names = [f"{number:03}" for number in range(40)]
    index.look(*(item(name) for name in names))
    there = [item(name, version="v2") for name in names]
    with halted(database, lambda other: other.looks.keys({each.key: each for each in reversed(there)})):
        index.looks.keys({each.key: item(each.key.rsplit("/", 1)[-1], version="v3") for each in there})
    assert {index.files.bucket_version(f"ann:p:{name}") for name in names} <= {"v2", "v3"}
    assert len(index.waiting()) == 40


def test_a_look_at_the_moment_at_which_a_run_ends_does_not_bring_the_run_back(database: Database, index: Index) -> None:
    index.look(item("a"))
    index.files.progress("ann:p:a", stage="chunks")
    with halted(database, lambda other: other.know(record("a"))):
        index.look(item("a", version="v2"), at=1)
    assert index.pending.counts().by_state == {"pending": 1}
    assert index.waiting(at=1) == ["a"]


def test_a_run_that_ends_at_the_moment_of_the_first_look_is_recorded(database: Database, index: Index) -> None:
    with halted(database, lambda other: other.look(item("a"))):
        index.know(record("a"))
    assert index.pending.counts().by_state == {"succeeded": 1}
    assert index.waiting() == []

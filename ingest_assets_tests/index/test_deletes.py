"""Test that deletes which look like a mistake wait for a person, and that ordinary ones do not."""

from __future__ import annotations

import pytest

from ingest_assets.index.database import Database
from ingest_assets.ledger_records import FileRecord
from ingest_assets_tests.index.files import NOW, Index, item, record


@pytest.fixture
def index(database: Database) -> Index:
    return Index(database)


def leave(index: Index, *, of: int, there: int, owner: str = "ann/p") -> None:
    """Know so many files, and let two looks find the first of them only."""
    ledger = (record(f"{number:03}", owner=owner, sha256=f"{owner}{number}") for number in range(of))
    index.files.rebuild(ledger, ledger="here", again=dict[str, FileRecord]().get)
    for at in (0.0, 60.0):
        index.look(*(item(f"{number:03}", owner=owner) for number in range(there)), at=at)


def test_twenty_files_may_always_go(index: Index) -> None:
    leave(index, of=20, there=0)
    assert len(index.gone(at=60)) == 20


def test_more_than_a_fifth_waits_for_a_person_and_says_so(index: Index) -> None:
    leave(index, of=100, there=79)
    gone, waiting = index.deletes.gone(limit=1000, now=NOW + 60)
    assert gone == []
    assert [(each.user_id, each.files, each.of) for each in waiting] == [("", 21, 100), ("ann", 21, 100)]
    assert "ingest confirm-deletes" in str(waiting[1])
    assert index.deletes.confirm(now=NOW + 61) == 21
    assert len(index.gone(at=62)) == 21


def test_a_confirmation_is_not_for_files_that_go_later(index: Index) -> None:
    leave(index, of=100, there=79)
    index.deletes.confirm(now=NOW + 61)
    for at in (70.0, 130.0):
        index.look(*(item(f"{number:03}") for number in range(40)), at=at)
    assert len(index.gone(at=130)) == 21


def test_a_fifth_may_go(index: Index) -> None:
    leave(index, of=200, there=160)
    assert len(index.gone(at=60)) == 40


def test_deletes_of_a_day_are_counted_together(index: Index) -> None:
    leave(index, of=100, there=85)
    first = index.deletes.gone(limit=1000, now=NOW + 60)[0]
    index.deletes.purged(first, now=NOW + 60)
    for file_id in first:
        index.files.forget(file_id)
    for at in (70.0, 130.0):
        index.look(*(item(f"{number:03}") for number in range(75)), at=at)
    assert index.gone(at=130) == []
    assert len(index.gone(at=86_500)) == 10


def test_a_small_project_waits_and_another_does_not(index: Index) -> None:
    ledger = [record(f"{number:03}") for number in range(30)]
    ledger += [record(f"{number:04}", owner="bob/q") for number in range(1000)]
    index.files.rebuild(ledger, ledger="here", again=dict[str, FileRecord]().get)
    for at in (0.0, 60.0):
        index.look(*(item(f"{number:04}", owner="bob/q") for number in range(990)), at=at)
    assert set(index.gone(at=60)) == {f"{number:04}" for number in range(990, 1000)}


def test_renamed_files_are_not_counted(index: Index) -> None:
    leave(index, of=100, there=70)
    renamed = [record(f"new{number:03}", sha256=f"ann/p{number}") for number in range(70, 100)]
    index.know(*renamed)
    there = [item(f"{number:03}") for number in range(70)] + [item(f"new{number:03}") for number in range(70, 100)]
    index.look(*there, at=70)
    assert len(index.gone(at=70)) == 30

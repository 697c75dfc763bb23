"""Test that what searches find is counted, fades, and puts files first that are out of date."""

from __future__ import annotations

from ingest_assets.index.database import Database
from ingest_assets.index.search_counts import FoundFiles, SearchCounts
from ingest_assets_tests.index.files import Index, item, record


def given(index: Index, *names: str) -> None:
    index.know(*map(record, names))
    index.look(*map(item, names))


def order(index: Index) -> list[str]:
    return [file_id.rpartition(":")[2] for file_id in index.files.stale(lambda _: "now")]


def test_what_is_searched_most_comes_first_among_what_is_out_of_date(database: Database) -> None:
    index, counts = Index(database), SearchCounts(database)
    given(index, "a.txt", "b.txt", "c.txt")
    before = order(index)
    counts.add({f"ann:p:{before[2]}": 3})
    counts.add({f"ann:p:{before[2]}": 3, f"ann:p:{before[1]}": 1})
    assert order(index) == [before[2], before[1], before[0]]


def test_counts_fade_until_they_are_forgotten(database: Database) -> None:
    index, counts = Index(database), SearchCounts(database)
    given(index, "a.txt", "b.txt")
    first, last = order(index)
    counts.add({f"ann:p:{last}": 1})
    assert order(index) == [last, first]
    for _ in range(4):
        counts.fade()
    assert order(index) == [first, last]


def test_the_counts_of_an_owner_are_erased_with_it(database: Database) -> None:
    index, counts = Index(database), SearchCounts(database)
    given(index, "a.txt", "b.txt")
    first, last = order(index)
    counts.add({f"ann:p:{last}": 5})
    counts.erase(user_id="bea")
    assert order(index) == [last, first]
    counts.erase(user_id="ann", project_id="p")
    assert order(index) == [first, last]


def test_a_file_is_counted_once_a_search_and_what_was_taken_is_not_taken_again() -> None:
    found = FoundFiles()
    found.add(["ann:p:a.txt", "ann:p:a.txt", "ann:p:b.txt"])
    found.add(["ann:p:a.txt"])
    assert found.take() == {"ann:p:a.txt": 2, "ann:p:b.txt": 1}
    assert found.take() == {}

"""Test that looks find what is new, changed, growing or missing, in one stretch of the listing or in many."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_assets.index.database import Database
from ingest_assets.records import BucketObject, UnreadablePlace
from ingest_assets_tests.index.files import NOW, Index, item, record


@pytest.fixture
def index(database: Database) -> Index:
    return Index(database)


@pytest.fixture
def growing(database: Database) -> Index:
    return Index(database, settle_s=5)


def test_a_new_file_is_taken_up_at_the_second_look(growing: Index) -> None:
    assert growing.look(item("a")).unsettled == 1
    assert growing.waiting() == []
    growing.look(item("a"), at=1)
    assert growing.waiting() == ["a"]


def test_a_file_that_grew_since_the_last_look_waits(growing: Index) -> None:
    growing.look(item("a", version="half"))
    growing.look(item("a", version="whole"), at=3)
    assert growing.waiting() == []
    growing.look(item("a", version="whole"), at=6)
    assert growing.waiting() == ["a"]


def test_a_file_whose_time_lies_in_the_future_is_whole_when_it_rests(growing: Index) -> None:
    growing.look(item("a", age_s=-9000))
    growing.look(item("a", age_s=-9000), at=4)
    assert growing.waiting() == []
    growing.look(item("a", age_s=-9000), at=5)
    assert growing.waiting() == ["a"]


def test_an_unchanged_file_is_not_pending(index: Index) -> None:
    index.know(record("a"))
    assert index.look(item("a")).unchanged == 1
    assert index.look(item("a")).unchanged == 1
    assert index.waiting() == []


def test_a_changed_file_is_pending_until_its_version_was_attempted(index: Index) -> None:
    index.know(record("a"))
    index.look(item("a", version="v2"))
    assert index.waiting() == ["a"]
    index.know(record("a", version="v2", generation=2))
    assert index.waiting() == []
    assert index.states() == [("a", "succeeded"), ("a", "pending"), ("a", "succeeded")]


def test_a_file_that_has_its_earlier_version_again_is_told_as_the_ledger_has_it(index: Index) -> None:
    index.know(record("a"))
    index.look(item("a"))
    index.look(item("a", version="v2"), at=1)
    index.look(item("a"), at=2)
    index.look(item("a"), at=3)
    assert index.waiting() == []
    assert index.states() == [("a", "succeeded"), ("a", "pending"), ("a", "succeeded")]
    assert index.told[-1].version == "v1"


def test_a_listing_does_not_undo_what_was_seen_after_it_was_asked_for(index: Index) -> None:
    index.look(item("a"))
    index.looks.keys({"ann/p/a": item("a", version="v2")}, now=NOW + 5)
    index.looks.stretch([item("a")], after="", upto=None, asked_at=NOW + 4, now=NOW + 6)
    assert index.files.bucket_version("ann:p:a") == "v2"
    # The clock of the other host was an hour ahead: that says nothing.
    index.looks.keys({"ann/p/a": item("a", version="v3")}, now=NOW + 3600)
    index.looks.stretch([item("a", version="v4")], after="", upto=None, asked_at=NOW + 7, now=NOW + 8)
    assert index.files.bucket_version("ann:p:a") == "v4"


def test_a_file_that_changed_during_its_run_is_pending_again(index: Index) -> None:
    index.look(item("a"))
    index.files.progress("ann:p:a", stage="chunks")
    index.look(item("a", version="v2"))
    index.know(record("a", version="v1"))
    assert index.waiting() == ["a"]


def test_a_missing_file_is_gone_after_two_looks_and_the_grace(index: Index) -> None:
    index.know(record("a"), record("b"))
    index.look(item("a"), item("b"))
    index.look(item("a"), at=10)
    assert index.gone(at=10) == []
    index.look(item("a"), at=69)
    assert index.gone(at=80) == []
    index.look(item("a"), at=70)
    assert index.gone(at=70) == ["b"]


def test_a_missing_file_that_is_back_is_not_gone(index: Index) -> None:
    index.know(record("a"))
    index.look()
    index.look(item("a"), at=30)
    index.look(at=70)
    assert index.gone(at=70) == []
    assert index.look(item("a"), at=80).unchanged == 1


def test_a_file_that_came_and_went_before_its_run_leaves_nothing(index: Index) -> None:
    index.look(item("a"))
    index.look()
    assert index.waiting() == []
    assert index.states() == [("a", "pending"), ("a", "removed")]
    assert index.files.file_ids().all == set()


def test_a_misplaced_file_is_named_and_stops_no_other(index: Index) -> None:
    lonely = BucketObject(key="lonely.pdf", size_bytes=1, version="v1", modified_at=0)
    look = index.look(lonely, item("a"))
    assert index.waiting() == ["a"]
    assert [place.key for place in look.misplaced] == ["lonely.pdf"]


def test_files_below_a_place_that_cannot_be_read_are_not_missing(index: Index) -> None:
    index.know(record("a"), record("b", owner="ann/pq"), record("c", owner="bob/p"))
    place = UnreadablePlace("ann/p", "ann/p: it may not be read", stored_key="ann/p/")
    assert index.look(place).missing == 2
    index.look(place, at=60)
    assert sorted(index.gone(at=60)) == ["b", "c"]


def test_nothing_is_missing_from_a_bucket_that_is_not_known(index: Index) -> None:
    index.know(record("a"))
    assert index.look(may_miss=False).missing == 0
    assert index.look(item("b"), may_miss=False).new == 1


def test_single_keys_follow_the_same_rules(index: Index) -> None:
    index.know(record("a"), record("b"))
    index.looks.keys({"ann/p/a": item("a", version="v2"), "ann/p/b": None, "x": None}, now=NOW)
    index.looks.keys({"ann/p/b": None}, now=NOW + 60)
    assert (index.waiting(), index.gone(at=60)) == (["a"], ["b"])


def test_a_key_is_not_missing_from_a_bucket_that_is_not_known(index: Index) -> None:
    index.know(record("a"))
    for at in (0, 60):
        index.looks.keys({"ann/p/a": None}, may_miss=False, now=NOW + at)
    assert index.gone(at=60) == []


def test_a_file_seen_since_the_listing_was_asked_for_is_not_missing(index: Index) -> None:
    index.looks.keys({"ann/p/a": item("a")}, now=NOW)
    look = index.looks.stretch([], after="", upto=None, asked_at=NOW - 1, now=NOW + 1)
    assert (look.missing, index.waiting(at=1)) == (0, ["a"])


def test_a_version_that_a_run_met_before_a_look_did_is_no_longer_pending(index: Index) -> None:
    index.look(item("a"))
    index.know(record("a", version="v2"))
    assert index.pending.counts().by_state == {"pending": 1}
    index.look(item("a", version="v2"))
    assert index.pending.counts().by_state == {"succeeded": 1}


def test_two_forms_of_a_name_are_one_file(index: Index) -> None:
    index.know(record("ü.txt"))
    stored = normalize("NFD", "ann/p/ü.txt")
    found = BucketObject(key="ann/p/ü.txt", size_bytes=1, version="v1", modified_at=NOW, stored_key=stored)
    assert index.look(found).unchanged == 1
    # Now the index has the key as it is stored, and finds the file at that place of the listing.
    assert index.look(found, at=60).missing == 0
    assert index.gone(at=60) == []


NAMES = st.sampled_from(["a", "a/b", "a-b", "ab", "ä", "z", "\uffee", "🜁"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(there=st.sets(NAMES), known=st.sets(NAMES), size=st.integers(1, 3))
def test_a_listing_in_pieces_finds_what_a_whole_one_finds(
    tmp_path_factory: pytest.TempPathFactory, there: set[str], known: set[str], size: int
) -> None:
    found: list[list[str]] = []
    for step in (size, 100):
        index = Index(Database(f"sqlite:///{tmp_path_factory.mktemp('index')}/index.db"))
        index.know(*(record(name) for name in known))
        listing = sorted((item(name) for name in there), key=lambda each: each.position.encode())
        for at in (0, 60):
            after = ""
            for start in range(0, len(listing) + 1, step):
                page = listing[start : start + step]
                upto = page[-1].position if len(page) == step else None
                index.looks.stretch(page, after=after, upto=upto, now=NOW + at)
                after = upto or ""
                if upto is None:
                    break
        gone = index.deletes.gone(limit=100, now=NOW + 60)[0]
        found.append([*sorted(index.waiting(at=60)), "gone", *sorted(gone)])
    assert found[0] == found[1]
    assert len(found[0]) == len(there - known) + 1 + len(known - there)

"""Test that the index agrees with the ledger: after writes, after kills, and after it was made again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest_assets.index.database import Database
from ingest_assets.ledger_records import FileRecord, Origin, State
from ingest_assets_tests.index.files import NOW, Index, item, record


@pytest.fixture
def index(database: Database) -> Index:
    return Index(database)


def test_each_change_of_state_is_told_once(index: Index) -> None:
    index.look(item("a"))
    index.files.progress("ann:p:a", stage="parsed_documents", percent=5)
    index.files.progress("ann:p:a", stage="parsed_documents", percent=5)
    index.know(record("a"))
    index.know(record("a"))
    assert index.states() == [("a", "pending"), ("a", "processing"), ("a", "succeeded")]
    assert (index.told[1].stage, index.told[1].version, index.told[2].chunks) == ("parsed_documents", "v1", 2)


def test_what_a_killed_process_wrote_is_copied_later_and_told(index: Index) -> None:
    index.look(item("a"))
    index.files.will_write("ann:p:a")
    assert index.files.on_their_way() == ["ann:p:a"]
    index.files.copy("ann:p:a", record("a"))
    assert index.states() == [("a", "pending"), ("a", "succeeded")]
    assert index.waiting() == []


def test_a_fresh_announcement_outlives_a_copy(index: Index) -> None:
    index.know(record("a"))
    index.files.will_write("ann:p:a")
    index.files.copy("ann:p:a", record("a"))
    assert index.files.on_their_way() == ["ann:p:a"]
    index.know(record("a", version="v2", generation=2))
    assert index.files.on_their_way() == []


def test_a_run_that_ended_without_a_word_no_longer_counts_as_processing(index: Index) -> None:
    index.know(record("a"))
    index.look(item("a"))
    index.files.progress("ann:p:a", stage="chunks")
    assert index.files.on_their_way() == ["ann:p:a"]
    index.files.copy("ann:p:a", record("a"))
    assert index.pending.counts().by_state == {"succeeded": 1}


def test_an_index_made_again_agrees_with_the_ledger(index: Index) -> None:
    index.know(record("a"), record("gone"), record("old"))
    ledger = [record("a"), record("new"), record("old", version="v2", generation=2)]
    handed_in = replace(record("c"), file_id="ann:p::c", origin=Origin.CLIENT)
    again = {each.file_id: each for each in ledger}.get
    assert index.files.rebuild([handed_in, *ledger], ledger="here", again=again) == 3
    assert index.files.rebuild(ledger, ledger="here", again=again) == 0
    assert index.files.built_for() == "here"
    assert index.files.file_ids().in_ledger == {"ann:p:a", "ann:p:new", "ann:p:old"}
    # What the index lost is no news; what was written and not copied is.
    assert index.states()[3:] == [("gone", "removed"), ("old", "succeeded")]


def test_a_file_that_the_pages_of_the_ledger_skip_is_not_lost(index: Index) -> None:
    ledger = [record("a"), record("b"), record("c")]
    index.know(*ledger)
    told = len(index.told)
    again = {each.file_id: each for each in ledger}.get
    assert index.files.rebuild([ledger[0], ledger[2]], ledger="here", again=again) == 1
    assert len(index.files.file_ids().in_ledger) == 3
    assert len(index.told) == told


def test_the_index_of_another_ledger_is_made_without_a_word(index: Index) -> None:
    index.know(record("a"))
    index.files.set_built_for("there")
    told = len(index.told)
    assert index.files.rebuild([], ledger="here", again=dict[str, FileRecord]().get) == 1
    assert (index.files.file_ids().in_ledger, len(index.told)) == (set(), told)


def test_a_removed_file_that_is_in_the_bucket_is_pending_again(index: Index) -> None:
    index.know(record("a"), record("b"))
    index.look(item("a"))
    index.files.forget("ann:p:a")
    index.files.forget("ann:p:b")
    assert index.waiting() == ["a"]
    assert index.files.file_ids().all == {"ann:p:a"}


def test_a_sample_leaves_out_what_is_being_written(index: Index) -> None:
    index.know(record("a", sha256="aa"), record("b", sha256="bb"), record("c", sha256="cc"))
    index.files.will_write("ann:p:c")
    assert [row.file_id for row in index.files.sample(5, behind="ab")] == ["ann:p:b"]


def test_a_record_that_is_written_while_the_index_is_made_again_stands(index: Index) -> None:
    index.know(record("a"), record("b"))

    def again(file_id: str) -> FileRecord:
        # Reads the record before the other process writes it; no transaction of the index is open meanwhile.
        index.know(record("a", version="v3", generation=3))
        return record("a", version="v2", generation=2)

    ledger = [record("a", version="v2", generation=2), record("b")]
    assert index.files.rebuild(ledger, ledger="here", again=again) == 1
    known = index.files.row("ann:p:a")
    assert known is not None
    assert known.version == "v3"


def test_stale_files_come_latest_first_and_failed_ones_last(index: Index) -> None:
    index.know(
        record("old.txt", fingerprint="x", updated_at="2026-01-01T00:00:00+00:00"),
        record("new.txt", fingerprint="x", updated_at="2026-01-02T00:00:00+00:00"),
        record("bad.txt", fingerprint="x", updated_at="2026-01-03T00:00:00+00:00", state=State.FAILED),
        record("well.txt", fingerprint="now"),
    )
    index.look(*(item(name) for name in ("old.txt", "new.txt", "bad.txt", "well.txt")))
    asked: list[str] = []

    def fingerprint(file: FileRecord) -> str:
        asked.append(file.filename)
        return "now"

    stale = index.files.stale(fingerprint)
    assert stale == ["ann:p:new.txt", "ann:p:old.txt", "ann:p:bad.txt"]
    assert len(asked) == 1


def test_a_fault_of_the_outside_is_pending_again_after_a_pause(index: Index) -> None:
    failed = {"state": State.FAILED, "updated_at": "2027-01-15T08:00:00+00:00"}  # NOW
    index.know(record("outside", fingerprint="", **failed), record("file", **failed))
    index.know(record("cancelled", **{**failed, "state": State.CANCELLED}))
    index.look(item("outside"), item("file"), item("cancelled"))
    assert index.waiting(at=599) == []
    assert index.waiting(at=601) == ["outside"]


def test_users_take_turns_and_small_files_come_first(index: Index) -> None:
    index.look(
        *(item(f"{number}", size=number) for number in (3, 1, 2)),
        item("b", owner="bob/q", size=900),
    )
    assert index.waiting() == ["1", "b", "2", "3"]
    assert [each.key for each in index.pending.next(limit=2, now=NOW)] == ["ann/p/1", "bob/q/b"]


def test_every_file_whose_last_attempt_published_nothing_is_failed(index: Index) -> None:
    for state in State:
        index.know(record(state.value, state=state))
    assert set(index.files.failed()) == {f"ann:p:{state.value}" for state in State if state.is_failure}

"""Test which changes of a file become messages, and what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest_assets.index.database import Database
from ingest_assets.index.file_index import FileIndex
from ingest_assets.index.state_change import FILE_STATES, FileState, PassingState, StateChange
from ingest_assets.ledger_records import State
from ingest_assets.messaging.outbox_tables import DeliveryState
from ingest_assets.messaging.outbox_upkeep import entries
from ingest_assets.messaging.progress import ProgressWriter
from ingest_assets_tests.index.files import record
from ingest_assets_tests.messaging.outbox_parts import DAY_S, WEBHOOK, SetClock, change, outbox_of

CALLBACK = "webhook:https://hook.example/"


@pytest.fixture
def writer(database: Database, clock: SetClock) -> ProgressWriter:
    return ProgressWriter(outbox_of(database, clock), targets=(WEBHOOK,))


def tell(writer: ProgressWriter, *changes: StateChange) -> None:
    for each in changes:
        with writer.outbox.database.begin() as connection:
            writer(connection, each)


def bodies(writer: ProgressWriter, target: str = WEBHOOK) -> list[dict[str, Any]]:
    found = entries(writer.outbox, DeliveryState.PENDING, limit=100)
    return [json.loads(entry.body) for entry in found if entry.target == target]


def test_a_message_says_who_what_and_how_far(writer: ProgressWriter, clock: SetClock) -> None:
    tell(writer, change(state=State.PARTIAL, stage="", generation=3, chunks=12, pages=4, quarantined=(2,)))
    (body,) = bodies(writer)
    assert len(body.pop("id")) == 32
    assert body == {
        "event": "file.state",
        "sequence": int(clock.seconds * 1000),
        "at": "2026-11-30T00:00:00+00:00",
        "file_id": "ann:p:a.pdf",
        "user_id": "ann",
        "project_id": "p",
        "filename": "a.pdf",
        "key": "ann/p/a.pdf",
        "version": "v1",
        "state": "partial",
        "status": "completed",
        "stage": "",
        "percent": 0,
        "generation": 3,
        "chunks": 12,
        "pages": 4,
        "quarantined": [2],
        "error": "",
    }


@pytest.mark.parametrize("state", FILE_STATES.values())
def test_every_state_has_one_of_the_four_words(writer: ProgressWriter, state: FileState) -> None:
    tell(writer, change(state=state))
    (body,) = bodies(writer)
    assert body["status"] in {"queued", "processing", "completed", "failed"}


def test_each_state_and_stage_is_told_once(writer: ProgressWriter) -> None:
    states = [
        change(state=PassingState.PENDING, stage=""),
        change(stage="raw_files"),
        change(stage="chunks"),
        change(state=State.SUCCEEDED, stage="", generation=1),
    ]
    tell(writer, *(each for state in states for each in (state, state)))
    assert [(body["state"], body["stage"]) for body in bodies(writer)] == [
        ("pending", ""),
        ("processing", "raw_files"),
        ("processing", "chunks"),
        ("succeeded", ""),
    ]


def test_a_percent_is_told_every_five_seconds_at_most(writer: ProgressWriter, clock: SetClock) -> None:
    for percent in range(0, 50, 2):
        tell(writer, change(percent=percent))
        clock.seconds += 1
    assert [(body["event"], body["percent"]) for body in bodies(writer)] == [
        ("file.state", 0),
        ("file.progress", 10),
        ("file.progress", 20),
        ("file.progress", 30),
        ("file.progress", 40),
    ]


def test_a_change_of_stage_is_told_at_once_also_after_a_percent(writer: ProgressWriter, clock: SetClock) -> None:
    tell(writer, change(stage="chunks"), change(stage="embeddings"))
    clock.seconds += 5
    tell(writer, change(stage="embeddings", percent=60), change(state=State.FAILED, stage="", error="disk full"))
    assert [(body["stage"], body["percent"], body["error"]) for body in bodies(writer)] == [
        ("chunks", 0, ""),
        ("embeddings", 0, ""),
        ("embeddings", 60, ""),
        ("", 0, "disk full"),
    ]


def test_a_clock_that_goes_back_holds_no_percent_back(writer: ProgressWriter, clock: SetClock) -> None:
    tell(writer, change(percent=1))
    clock.seconds -= DAY_S
    tell(writer, change(percent=2))
    assert [body["percent"] for body in bodies(writer)] == [1, 2]


def test_nothing_is_written_where_nobody_listens(database: Database, clock: SetClock) -> None:
    silent = ProgressWriter(outbox_of(database, clock), targets=())
    tell(silent, change())
    assert bodies(silent) == []


def test_a_callback_hears_of_its_file_for_a_week(writer: ProgressWriter, clock: SetClock) -> None:
    with writer.outbox.database.begin() as connection:
        writer.outbox.add_callback(connection, "ann:p:a.pdf", target=CALLBACK)
    tell(writer, change(stage="chunks"), change("ann:p:b.pdf"))
    clock.seconds += 7 * DAY_S
    tell(writer, change(stage="embeddings"))
    assert [body["stage"] for body in bodies(writer, CALLBACK)] == ["chunks"]
    assert len(bodies(writer)) == 3


def test_what_a_killed_process_wrote_into_the_ledger_is_told_from_there_once(writer: ProgressWriter) -> None:
    index = FileIndex(writer.outbox.database, listeners=[writer])
    written = record("a.pdf", generation=4)
    index.progress(written.file_id, stage="embeddings")
    index.will_write(written.file_id)
    # The process writes the ledger and is killed before it tells the index; the next look reads the ledger.
    for _ in range(2):
        index.copy(written.file_id, written)
    index.record(written)
    assert [(body["state"], body["generation"]) for body in bodies(writer)] == [("processing", 0), ("succeeded", 4)]


def test_an_index_that_is_made_again_floods_nobody(writer: ProgressWriter) -> None:
    index = FileIndex(writer.outbox.database, listeners=[writer])
    ledger = [record("a.pdf"), record("b.pdf")]
    index.rebuild(ledger, ledger="of the test", again={each.file_id: each for each in ledger}.get)
    assert bodies(writer) == []

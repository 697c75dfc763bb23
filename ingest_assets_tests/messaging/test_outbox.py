"""Test that the outbox loses nothing and lets nothing overtake, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from threading import Barrier, Thread

import pytest

from ingest_assets.index.database import Database
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_upkeep import count
from ingest_assets_tests.messaging.outbox_parts import (
    WEBHOOK,
    A,
    B,
    SetClock,
    claimed,
    message,
    put,
    text,
)

OTHER = "webhook:https://hook.example/s3cret"


def test_only_the_oldest_message_of_a_file_and_target_can_be_claimed(outbox: Outbox) -> None:
    for file_id, each in ((A, "a1"), (A, "a2"), (B, "b1")):
        put(outbox, file_id, each, targets=(WEBHOOK, OTHER))
    found = claimed(outbox)
    assert [(text(entry), entry.target) for entry in found] == [
        ("a1", WEBHOOK),
        ("a1", OTHER),
        ("b1", WEBHOOK),
        ("b1", OTHER),
    ]
    assert claimed(outbox, claim="two") == []
    assert outbox.sent(found[0])
    assert [(text(entry), entry.target) for entry in claimed(outbox, claim="two")] == [("a2", WEBHOOK)]


def test_a_channel_claims_its_own_targets_only(outbox: Outbox) -> None:
    put(outbox, A, "a1", targets=("kafka:batch-status", "webhooks:no", WEBHOOK))
    assert [entry.target for entry in claimed(outbox)] == [WEBHOOK]


def test_a_target_with_much_to_send_leaves_room_for_others(outbox: Outbox) -> None:
    for number in range(8):
        put(outbox, f"ann:p:{number}", "x")
    put(outbox, A, "x", targets=(OTHER,))
    found = [entry.target for entry in claimed(outbox, limit=4)]
    assert (found.count(WEBHOOK), found.count(OTHER)) == (3, 1)


def test_a_message_that_is_rolled_back_with_its_change_was_never_there(outbox: Outbox) -> None:
    put(outbox, A, "a1")
    with pytest.raises(ZeroDivisionError), outbox.database.begin() as connection:
        outbox.put(connection, message(A), targets=(WEBHOOK,))
        raise ZeroDivisionError
    assert [text(entry) for entry in claimed(outbox)] == ["a1"]
    assert count(outbox).pending == 1


def test_messages_of_a_file_are_numbered_upwards_also_when_the_clock_goes_back(outbox: Outbox, clock: SetClock) -> None:
    numbers = []
    for step in (0.0, 0.0, 10.0, -3600.0, 7200.0):
        clock.seconds += step
        put(outbox, A, "x")
    for _ in range(5):
        (entry,) = claimed(outbox)
        numbers.append(json.loads(entry.body)["sequence"])
        outbox.sent(entry)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == int(clock.seconds * 1000)


def test_two_deliverers_at_once_never_hold_the_same_message_or_two_of_one_file(database: Database) -> None:
    outbox = Outbox(database)
    for number in range(60):
        put(outbox, f"ann:p:{number % 6}", f"{number:03}")
    sent, begin = [], Barrier(3)

    def deliver(claim: str) -> None:
        begin.wait()
        while found := outbox.claim("webhook", limit=3, claim=claim):
            for entry in found:
                sent.append((entry.file_id, text(entry)))
                assert outbox.sent(entry)

    threads = [Thread(target=deliver, args=(f"claim {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A deliverer may end early, while the others hold the oldest message of every file.
    deliver_rest = outbox.claim("webhook", limit=99, claim="rest")
    assert deliver_rest == []
    assert sorted(number for _, number in sent) == [f"{number:03}" for number in range(60)]
    for file_id in {file_id for file_id, _ in sent}:
        numbers = [number for each, number in sent if each == file_id]
        assert numbers == sorted(numbers)

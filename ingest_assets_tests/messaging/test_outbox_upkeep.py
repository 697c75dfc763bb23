"""Test counts of the outbox, dead letters that are sent again, and what is swept and erased."""

from __future__ import annotations

import pytest

from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_tables import DeliveryState
from ingest_assets.messaging.outbox_upkeep import count, entries, erase, replay, sweep
from ingest_assets_tests.messaging.outbox_parts import (
    DAY_S,
    A,
    B,
    SetClock,
    claimed,
    put,
    text,
)


def test_dead_letters_are_sent_again_one_by_one_or_all(outbox: Outbox, clock: SetClock) -> None:
    for file_id in (A, B, "bob:q:c.txt"):
        put(outbox, file_id, file_id)
    for entry in claimed(outbox):
        outbox.refused(entry, "answered 404")
    clock.seconds += 3 * DAY_S
    letters = entries(outbox, DeliveryState.DEAD, limit=10)
    assert replay(outbox, [letters[1].id, 999]) == 1
    again = claimed(outbox)
    assert [(entry.file_id, entry.message_id) for entry in again] == [(B, letters[1].message_id)]
    outbox.failed(again[0], "connection refused")
    assert count(outbox).dead == 2, "its age is no reason to give it up again"
    assert replay(outbox, None) == 2
    assert count(outbox).dead == 0


def test_counts_are_those_of_what_waits(outbox: Outbox, clock: SetClock) -> None:
    assert (count(outbox).pending, count(outbox).oldest_s) == (0, 0.0)
    put(outbox, A, "a1")
    clock.seconds += 30
    put(outbox, A, "a2")
    assert (count(outbox).pending, count(outbox).oldest_s) == (2, 30.0)


def test_sweeping_keeps_what_is_pending(outbox: Outbox, clock: SetClock) -> None:
    for each in ("sent", "dead", "pending"):
        put(outbox, f"ann:p:{each}", each)
    sent, dead, _ = claimed(outbox)
    outbox.sent(sent)
    outbox.refused(dead, "answered 400")
    clock.seconds += 6 * DAY_S
    assert sweep(outbox, days=7) == 0
    clock.seconds += 2 * DAY_S
    assert sweep(outbox, days=7) == 2
    assert [text(entry) for entry in claimed(outbox)] == ["pending"]


def test_what_is_an_owners_is_erased_and_nothing_else(outbox: Outbox) -> None:
    for file_id in (A, "ann:q:a.pdf", "anna:p:a.pdf"):
        put(outbox, file_id, file_id)
    assert erase(outbox, user_id="ann", project_id="p") == 1
    assert erase(outbox, user_id="ann") == 1
    assert [entry.file_id for entry in claimed(outbox)] == ["anna:p:a.pdf"]
    with pytest.raises(ValueError, match="user_id"):
        erase(outbox, user_id="")

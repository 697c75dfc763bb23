"""Test how the outbox tries again: pauses, claims that end, dead letters, and what is given up after a day."""

from __future__ import annotations

from collections import defaultdict

from ingest_assets.messaging.outbox import LEASE_S, Outbox
from ingest_assets.messaging.outbox_tables import DeliveryState
from ingest_assets.messaging.outbox_upkeep import count, entries
from ingest_assets_tests.messaging.outbox_parts import (
    DAY_S,
    WEBHOOK,
    A,
    B,
    SetClock,
    claimed,
    put,
    text,
)


def test_a_claim_that_was_not_given_back_ends_by_itself(outbox: Outbox, clock: SetClock) -> None:
    put(outbox, A, "a1")
    put(outbox, A, "a2")
    (first,) = claimed(outbox, claim="killed")
    clock.seconds += LEASE_S - 1
    assert claimed(outbox, claim="two") == []
    clock.seconds += 1
    (again,) = claimed(outbox, claim="two")
    assert text(again) == "a1"
    assert not outbox.sent(first), "the one whose claim ended decides nothing"
    assert claimed(outbox, claim="three") == []
    assert outbox.sent(again)


def test_a_claim_that_is_given_back_can_be_taken_at_once(outbox: Outbox) -> None:
    put(outbox, A, "a1")
    claimed(outbox, claim="one")
    outbox.release("one")
    assert [text(entry) for entry in claimed(outbox, claim="two")] == ["a1"]


def test_pauses_grow_from_a_second_to_an_hour(outbox: Outbox, clock: SetClock) -> None:
    put(outbox, A, "a1")
    pauses = []
    for _ in range(14):
        (entry,) = claimed(outbox)
        outbox.failed(entry, "answered 500")
        (waiting,) = entries(outbox, DeliveryState.PENDING, limit=1)
        pauses.append(waiting.due_s - clock.seconds)
        clock.seconds = waiting.due_s
    assert pauses == [*(2.0**n for n in range(12)), 3600.0, 3600.0]


def test_a_wish_of_the_receiver_makes_the_pause_longer_for_all_files(outbox: Outbox, clock: SetClock) -> None:
    put(outbox, A, "a1")
    put(outbox, B, "b1")
    (entry,) = claimed(outbox, limit=1)
    outbox.failed(entry, "answered 429", retry_after_s=60.0)
    clock.seconds += 59
    assert claimed(outbox) == []
    clock.seconds += 1
    assert [text(each) for each in claimed(outbox)] == ["a1", "b1"]


def test_a_target_that_answers_again_is_tried_at_once_for_all_files(outbox: Outbox, clock: SetClock) -> None:
    for file_id, each in ((A, "a1"), (B, "b1"), (B, "b2")):
        put(outbox, file_id, each)
    outbox.failed(claimed(outbox, limit=1)[0], "answered 503")
    assert count(outbox).failing == (WEBHOOK,)
    outbox.release("one")
    clock.seconds += 1
    outbox.failed(claimed(outbox, limit=1)[0], "answered 503")
    clock.seconds += 2
    found = claimed(outbox)
    outbox.sent(found[-1])
    assert count(outbox).failing == ()
    assert [text(each) for each in claimed(outbox, claim="two")] == ["b2"]


def test_what_is_refused_is_a_dead_letter_and_its_file_goes_on(outbox: Outbox) -> None:
    put(outbox, A, "a1")
    put(outbox, A, "a2")
    outbox.refused(claimed(outbox)[0], "answered 410")
    assert [text(entry) for entry in claimed(outbox)] == ["a2"]
    (dead,) = entries(outbox, DeliveryState.DEAD, limit=10)
    assert (text(dead), dead.reason) == ("a1", "answered 410")


def test_a_message_that_fails_for_a_day_is_given_up_and_its_file_goes_on(outbox: Outbox, clock: SetClock) -> None:
    put(outbox, A, "a1")
    put(outbox, A, "a2")
    put(outbox, B, "b1")
    began, tried = clock.seconds, defaultdict[str, int](int)
    while count(outbox).dead == 0:
        put(outbox, B, "good")  # the target takes all others: one message is at fault
        for entry in claimed(outbox):
            tried[text(entry)] += 1
            if text(entry) == "a1":
                outbox.failed(entry, "answered 500")
            else:
                outbox.sent(entry)
        clock.seconds += 2_400
    assert DAY_S <= clock.seconds - began <= DAY_S + 7200
    assert tried["a1"] >= 12
    assert "a2" in [text(entry) for entry in claimed(outbox)]


def test_a_target_that_is_away_for_a_day_loses_what_is_older_than_a_day_at_once(
    outbox: Outbox, clock: SetClock
) -> None:
    for number in range(30):
        put(outbox, f"ann:p:{number}", "old")
    began = clock.seconds
    while clock.seconds < began + DAY_S - 3700:
        for entry in claimed(outbox, limit=1):
            outbox.failed(entry, "connection refused")
        clock.seconds += 1_800
    put(outbox, A, "new")
    assert count(outbox).dead == 0
    while count(outbox).dead == 0:
        for entry in claimed(outbox, limit=1):
            outbox.failed(entry, "connection refused")
        clock.seconds += 1_800
    assert (count(outbox).dead, count(outbox).pending) == (30, 1)


def test_a_deliverer_that_was_off_for_days_gives_up_nothing_at_its_first_failure(
    outbox: Outbox, clock: SetClock
) -> None:
    put(outbox, A, "a1")
    outbox.failed(claimed(outbox)[0], "connection refused")
    clock.seconds += 3 * DAY_S
    outbox.failed(claimed(outbox)[0], "connection refused")
    assert (count(outbox).pending, count(outbox).dead) == (1, 0)

"""Test that the outbox loses nothing and lets nothing overtake, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.index.database import Database
from ingest_assets.messaging.outbox import LEASE_S, Outbox
from ingest_assets.messaging.outbox_tables import DeliveryState, OutboxEntry
from ingest_assets.messaging.outbox_upkeep import count, entries, erase, replay, sweep
from ingest_assets_tests.messaging.outbox_parts import DAY_S, WEBHOOK, SetClock, message, outbox_of, put

A, B = "ann:p:a.pdf", "ann:p:b.pdf"
OTHER = "webhook:https://hook.example/s3cret"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def outbox(database: Database, clock: SetClock) -> Outbox:
    return outbox_of(database, clock)


def text(entry: OutboxEntry) -> str:
    return str(json.loads(entry.body)["text"])


def claimed(outbox: Outbox, *, claim: str = "one", limit: int = 10) -> list[OutboxEntry]:
    return outbox.claim("webhook", limit=limit, claim=claim)


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


FILES = st.sampled_from(["ann:p:1", "ann:p:2", "bob:p:1"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), FILES),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 5.0, 200.0, 4_000.0, 90_000.0])),
        st.tuples(
            st.just("deliver"),
            st.lists(st.sampled_from(["sent", "failed", "refused", "killed", "unheard"]), min_size=1, max_size=4),
        ),
        st.tuples(st.just("replay"), st.none()),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def shared_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("outbox")
    opened = Database(f"sqlite:///{folder / 'index.db'}")
    yield opened
    opened.close()


@dataclass(slots=True)
class Story:
    """Plays steps, and keeps what was written and what a receiver got."""

    outbox: Outbox
    clock: SetClock
    written: int = 0
    received: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    was_replayed: bool = False
    passes: int = 0

    def play(self, step: str, value: object) -> None:
        if step == "put":
            put(self.outbox, str(value), str(self.written))
            self.written += 1
        elif step == "wait":
            self.clock.seconds += value
        elif step == "deliver":
            self.deliver(value)
        else:
            self.was_replayed = bool(replay(self.outbox, None)) or self.was_replayed

    def deliver(self, outcomes: list[str]) -> None:
        """`killed` is a deliverer that died before it sent, `unheard` one that died just after."""
        self.passes += 1
        found = self.outbox.claim("webhook", limit=len(outcomes), claim=f"pass {self.passes}")
        for entry, outcome in zip(found, outcomes, strict=False):
            if outcome in {"sent", "unheard"}:
                self.received[entry.file_id].append(int(text(entry)))
            if outcome == "sent":
                assert self.outbox.sent(entry)
            elif outcome == "failed":
                assert self.outbox.failed(entry, "answered 500")
            elif outcome == "refused":
                assert self.outbox.refused(entry, "answered 400")


@given(STEPS)
@settings(max_examples=40)
def test_each_file_hears_its_messages_in_order_and_all_of_them_whatever_fails_when(
    shared_database: Database, steps: list[tuple[str, object]]
) -> None:
    clock = SetClock()
    story = Story(outbox_of(shared_database, clock), clock)
    for user in ("ann", "bob"):
        erase(story.outbox, user_id=user)
    for step, value in steps:
        story.play(step, value)
    dead = {int(text(entry)) for entry in entries(story.outbox, DeliveryState.DEAD, limit=1000)}
    while count(story.outbox).pending:
        clock.seconds += 4_000
        story.deliver(["sent"] * 10)
    for file_id, numbers in story.received.items():
        assert story.was_replayed or numbers == sorted(numbers), file_id
    assert {number for numbers in story.received.values() for number in numbers} >= set(range(story.written)) - dead

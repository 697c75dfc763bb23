"""Test random histories of the outbox: each file hears its messages in order, whatever fails when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.index.database import Database
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_tables import DeliveryState
from ingest_assets.messaging.outbox_upkeep import count, entries, erase, replay
from ingest_assets_tests.messaging.outbox_parts import SetClock, outbox_of, put, text

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

    def play(self, step: str, value: Any) -> None:
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

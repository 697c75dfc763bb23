"""Test that no key put into the inbox is lost or doubled, on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ingest_assets.errors import BadInput
from ingest_assets.index.database import Database
from ingest_assets.messaging.inbox import Inbox


def keys(inbox: Inbox, limit: int = 1000) -> list[str]:
    return [entry.key for entry in inbox.take(limit)]


@pytest.fixture
def inbox(database: Database) -> Inbox:
    ticks = itertools.count(1)
    return Inbox(database, clock=lambda: float(next(ticks)))


def test_a_key_stands_in_the_inbox_once_and_the_oldest_comes_first(inbox: Inbox) -> None:
    assert inbox.put(["ann/p/b", "ann/p/b"], why="event") == 1
    inbox.put(["ann/p/a"], why="notify")
    inbox.put(["ann/p/b"], why="request")
    assert [(entry.key, entry.why, entry.since) for entry in inbox.take(10)] == [
        ("ann/p/b", "request", 1.0),
        ("ann/p/a", "notify", 2.0),
    ]
    assert (inbox.depth(), inbox.oldest()) == (2, 1.0)


def test_taking_removes_nothing_and_done_removes_what_was_taken(inbox: Inbox) -> None:
    inbox.put(["a", "b", "c"], why="event")
    taken = inbox.take(2)
    assert keys(inbox) == ["a", "b", "c"]
    inbox.done(taken)
    inbox.done(taken)
    assert keys(inbox) == ["c"]
    inbox.done(inbox.take(2))
    assert (inbox.depth(), inbox.oldest()) == (0, None)


def test_a_key_that_is_put_again_while_it_is_looked_at_stays(inbox: Inbox) -> None:
    inbox.put(["a", "b"], why="event")
    taken = inbox.take(2)
    inbox.put(["a"], why="event")
    inbox.done(taken)
    assert keys(inbox) == ["a"]


def test_a_key_that_is_postponed_stands_behind_the_others(inbox: Inbox) -> None:
    inbox.put(["a", "b"], why="event")
    inbox.put(["c"], why="event")
    inbox.postpone(inbox.take(2))
    assert keys(inbox) == ["c", "a", "b"]
    inbox.done(inbox.take(3))
    assert inbox.depth() == 0


def test_a_late_done_does_not_remove_what_was_put_after_another_done(inbox: Inbox) -> None:
    inbox.put(["a"], why="event")
    slow = inbox.take(1)
    inbox.done(inbox.take(1))
    inbox.put(["a"], why="event")
    inbox.done(slow)
    assert keys(inbox) == ["a"]


def test_a_key_that_no_object_can_have_is_refused_and_nothing_is_put(inbox: Inbox) -> None:
    for key in ("", "a\0", "k" * 1025, "\ud800"):
        with pytest.raises(BadInput):
            inbox.put(["good", key], why="notify")
    assert inbox.depth() == 0


def test_two_forms_of_one_name_are_one_key(inbox: Inbox) -> None:
    assert inbox.put(["ann/p/u\u0308", "ann/p/ü"], why="event") == 1


def test_thousands_of_keys_are_put_whole(inbox: Inbox) -> None:
    many = [f"ann/p/{number:05}" for number in range(2_500)]
    assert inbox.put(iter(many), why="notify") == 2_500
    assert keys(inbox, 5_000) == many


def test_several_writers_and_a_reader_lose_nothing(database: Database) -> None:
    inbox, together, seen = Inbox(database), Barrier(4), set[str]()

    def put(writer: int) -> None:
        together.wait(timeout=30)
        for number in range(20):
            # Each writer names the shared keys in another order.
            inbox.put([f"{writer}-{number}", *(f"shared-{shared * writer % 7}" for shared in range(7))], why="event")

    writers = [Thread(target=put, args=(writer,)) for writer in (1, 2, 3)]
    for writer in writers:
        writer.start()
    together.wait(timeout=30)
    while any(writer.is_alive() for writer in writers) or inbox.depth():
        taken = inbox.take(50)
        seen.update(entry.key for entry in taken)
        inbox.done(taken)
    assert seen == {f"{writer}-{n}" for writer in (1, 2, 3) for n in range(20)} | {f"shared-{n}" for n in range(7)}


def test_what_was_put_survives_the_death_of_the_process(database: Database) -> None:
    script = (
        "import os, signal, sys\n"
        "from ingest_assets.index.database import Database\n"
        "from ingest_assets.messaging.inbox import Inbox\n"
        "Inbox(Database(sys.argv[1])).put(['ann/p/a'], why='event')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    url = database._url.render_as_string(hide_password=False)
    died = subprocess.run([sys.executable, "-c", script, url], check=False, timeout=60, env={**os.environ})
    assert died.returncode == -signal.SIGKILL
    assert keys(Inbox(database)) == ["ann/p/a"]


def test_a_message_set_aside_is_counted_by_its_text_which_is_not_kept(inbox: Inbox) -> None:
    for name in ("m1", "m2" * 200):
        inbox.set_aside("secret text", source="uploads", name=name, reason="it is no object in JSON")
    inbox.set_aside("other", source="uploads", name="m3", reason="it holds nothing")
    latest, first = inbox.set_aside_messages()
    assert (latest.name, latest.times) == ("m3", 1)
    assert (first.times, first.size_bytes, len(first.name), first.last_at) == (2, 11, 200, 2.0)
    assert "secret" not in repr((latest, first))
    assert inbox.count_set_aside() == 2


def test_messages_that_did_not_come_again_are_forgotten(database: Database) -> None:
    now = [0.0]
    inbox = Inbox(database, clock=lambda: now[0])
    inbox.set_aside("old", source="uploads", name="m1", reason="no JSON")
    now[0] = 5 * 86_400
    inbox.set_aside("new", source="uploads", name="m2", reason="no JSON")
    now[0] = 10 * 86_400
    assert inbox.sweep(days=7) == 1
    assert [message.name for message in inbox.set_aside_messages()] == ["m2"]


STEPS = some.lists(some.tuples(some.sampled_from(["put", "take", "done"]), some.sampled_from("abcd")), max_size=30)


@settings(max_examples=40)
@given(steps=STEPS)
def test_in_any_order_of_steps_no_key_is_lost(
    steps: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A key is in the inbox exactly if it was put after it was last taken by an attempt that is done."""
    inbox = Inbox(Database(f"sqlite:///{tmp_path_factory.mktemp('inbox')}/index.db"))
    expected, taken, changed = set[str](), inbox.take(0), set[str]()
    for step, key in steps:
        if step == "put":
            inbox.put([key], why="event")
            expected.add(key)
            changed.add(key)
        elif step == "take":
            taken, changed = inbox.take(2), set()
        else:
            inbox.done(taken)
            expected -= {entry.key for entry in taken} - changed
            taken = []
        assert set(keys(inbox)) == expected

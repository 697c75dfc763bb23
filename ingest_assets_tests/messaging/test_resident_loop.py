"""Test that actions go on side by side through failures, and stop when they are told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.messaging.resident_loop import ResidentAction, repeat_until_stopped

WITHIN_S = 60.0


def repeated(*actions: ResidentAction, until: threading.Event) -> list[str]:
    """Repeat the actions until an event is set; return what was logged."""
    logged: list[str] = []
    repeat_until_stopped(actions, stop=until, log=logged.append)
    return logged


def answers(*given: str | Exception, done: threading.Event) -> Callable[[], str]:
    """Return an action that answers or raises these one after the other, and is done with the last."""
    left = list(given)

    def act() -> str:
        if len(left) == 1:
            done.set()
        answer = left.pop(0) if left else ""
        if isinstance(answer, Exception):
            raise answer
        return answer

    return act


def test_what_an_action_did_is_logged_and_nothing_if_it_did_nothing() -> None:
    done = threading.Event()
    action = ResidentAction("runs", answers("", "2 keys", "", done=done), every_s=0.001)
    assert repeated(action, until=done) == ["runs: 2 keys"]


def test_an_action_that_fails_is_tried_again_after_a_pause_and_says_so_without_details() -> None:
    done = threading.Event()
    failing = answers(OutsideError("the queue q is away"), ValueError("no\nSELECT secret"), "well", done=done)
    assert repeated(ResidentAction("events", failing, every_s=0.001), until=done)[:2] == [
        "events: the queue q is away; tried again in 1 s",
        "events: no; tried again in 2 s",
    ]


def test_an_action_that_waits_does_not_delay_the_others() -> None:
    stuck, done = threading.Event(), threading.Event()
    slow = ResidentAction("slow", lambda: str(stuck.wait(WITHIN_S)), every_s=0)
    quick = ResidentAction("quick", answers("one", "two", done=done), every_s=0.001)
    assert repeated(slow, quick, until=done) == ["quick: one", "quick: two"]
    stuck.set()


def test_an_action_is_woken_from_its_pause() -> None:
    done = threading.Event()
    sleeper = ResidentAction("runs", answers("one", "two", done=done), every_s=WITHIN_S * 10)
    sleeper.wake.set()
    assert repeated(sleeper, until=done) == ["runs: one", "runs: two"]


def test_what_only_an_operator_can_mend_ends_the_process() -> None:
    action = ResidentAction("runs", answers(ConfigError("a later release wrote the index"), done=threading.Event()), 0)
    with pytest.raises(ConfigError, match="later release"):
        repeated(action, until=threading.Event())  # it sets the event itself

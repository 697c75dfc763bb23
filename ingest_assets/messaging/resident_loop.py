"""Repeat several actions side by side until the process is told to stop, each with its own pauses after failures.

One slow action must not delay the others: receiving waits for messages for twenty seconds at a time, and an address
that does not answer holds the outbox for ten. So each has a thread. An action that fails is tried again after a second,
then after two, four and so on up to a minute; the first success ends that. Everything that the actions do is durable at
each step and may happen twice, so nothing has to be finished when the process stops: the threads end with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingest_assets.errors import ConfigError

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_STOP_WITHIN_S = 1.5
"""How long a step that has begun may go on after the signal to stop."""


@dataclass(slots=True)
class ResidentAction:
    """Something that is done again and again."""

    name: str
    """A word for the log."""
    act: Callable[[], str]
    """Do it once; return one line for the log, or nothing if there was nothing to do."""
    every_s: float
    """Pause after each time."""
    wake: threading.Event = field(default_factory=threading.Event)
    """Set by others to end the pause early."""


def repeat_until_stopped(
    actions: Sequence[ResidentAction], *, stop: threading.Event, log: Callable[[str], None]
) -> None:
    """Repeat the actions, each in a thread of its own, until `stop` is set; return a second or two later.

    Raises:
        ConfigError: an action cannot go on until an operator changes something.
    """
    fatal: list[ConfigError] = []
    threads = [
        threading.Thread(target=_repeat, args=(action, stop, log, fatal), name=action.name, daemon=True)
        for action in actions
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for action in actions:
        action.wake.set()
    deadline = time.monotonic() + _STOP_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if fatal:
        raise fatal[0]


def _repeat(
    action: ResidentAction, stop: threading.Event, log: Callable[[str], None], fatal: list[ConfigError]
) -> None:
    pause_s = 0.0
    while not stop.is_set():
        try:
            report = action.act()
            pause_s = 0.0
        except ConfigError as error:
            fatal.append(error)
            stop.set()
            return
        except Exception as error:  # noqa: BLE001 - a door's outermost loop: an outage of one service ends nothing
            pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            report = f"{_first_line(error)}; tried again in {pause_s:.0f} s"
        if report:
            log(f"{action.name}: {report}")
        if pause_s:
            stop.wait(pause_s)
        else:
            action.wake.wait(action.every_s)
            action.wake.clear()


def _first_line(error: Exception) -> str:
    """Say what failed; errors of libraries may hold statements and values in their further lines."""
    line = next(iter(str(error).splitlines()), "")
    return line or type(error).__name__

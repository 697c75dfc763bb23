"""Put keys into the inbox for a person or a program, show what is in it, and run the listener."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import typer

from ingest_assets.batches import batches
from ingest_assets.cli.opening import require_home
from ingest_assets.cli.tables.output import print_json, printable, wrapped
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput

if TYPE_CHECKING:
    from ingest_assets.messaging.inbox import Inbox, SetAsideMessage

_STDIN = "-"
_BATCH = 1000
_NAMED = 20
"""Refused keys that are named; programs read all of them with --json."""


@dataclass(frozen=True, slots=True)
class RefusedKey:
    """A key that no file in the bucket can have."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notified:
    """What became of keys that somebody named."""

    taken: int
    """Keys in the inbox now."""
    refused: tuple[RefusedKey, ...]


@dataclass(frozen=True, slots=True)
class InboxContents:
    """What is in the inbox."""

    waiting: int
    oldest_s: float
    """For how long the oldest key has waited, in seconds; 0 if none waits."""
    set_aside: int
    """Different messages that could not be read."""
    messages: tuple[SetAsideMessage, ...]
    """The latest of them."""


def notify_keys(settings: Settings, keys: Sequence[str]) -> Notified:
    """Put keys into the inbox; those that no file can have are refused.

    Raises:
        ConfigError: there is no home.
        OutsideError: the index database is away.
    """
    inbox, taken, refused = _open_inbox(settings), 0, list[RefusedKey]()
    for batch in batches(_given(keys), _BATCH):
        good = []
        for key in batch:
            try:
                _require_key_of_file(key)
                good.append(key)
            except BadInput as error:
                refused.append(RefusedKey(key, str(error)))
        taken += inbox.put(good, why="notify")
    return Notified(taken, tuple(refused))


def show_notified(notified: Notified, *, as_json: bool) -> None:
    """Print how many keys were taken, and each that was refused."""
    if as_json:
        return print_json(notified)
    for each in notified.refused[:_NAMED]:
        typer.echo(wrapped(printable(each.reason), indent="  "), err=True)
    if len(notified.refused) > _NAMED:
        typer.echo(f"and {len(notified.refused) - _NAMED} more; --json names all", err=True)
    typer.echo(f"{notified.taken} keys will be looked at, {len(notified.refused)} refused")
    return None


def listen_until_stopped(settings: Settings) -> None:
    """Run the listener until SIGTERM or SIGINT; print one line for each thing that it does.

    Raises:
        ConfigError: there is no home, or another listener runs in it.
        OutsideError: the instance or the index database is away at the start.
    """
    from ingest_assets.config.home import prepare_home
    from ingest_assets.defs.noticing.listening import listen

    require_home(settings)
    prepare_home(settings)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _log(f"listening for {settings.events_queue or 'keys of `ingest notify`'}")
    listen(settings, stop=stop, log=_log)
    _log("stopped")


def look_into_inbox(settings: Settings) -> InboxContents:
    """Count what is in the inbox.

    Raises:
        ConfigError: there is no home.
        OutsideError: the index database is away.
    """
    inbox = _open_inbox(settings)
    oldest = inbox.oldest()
    return InboxContents(
        waiting=inbox.depth(),
        oldest_s=max(0.0, time.time() - oldest) if oldest is not None else 0.0,
        set_aside=inbox.count_set_aside(),
        messages=tuple(inbox.set_aside_messages(limit=_NAMED)),
    )


def show_inbox(contents: InboxContents, *, as_json: bool) -> None:
    """Print what waits and what could not be read."""
    if as_json:
        return print_json(contents)
    oldest = f", the oldest for {contents.oldest_s:.0f} s" if contents.waiting else ""
    typer.echo(f"{contents.waiting} keys wait to be looked at{oldest}")
    typer.echo(f"{contents.set_aside} messages could not be read and were set aside")
    for each in contents.messages:
        at = datetime.fromtimestamp(each.last_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        times = f", {each.times} times" if each.times > 1 else ""
        typer.echo(wrapped(f"{at} {each.source}{times}: {printable(each.reason)}", indent="  "))
    return None


def _open_inbox(settings: Settings) -> Inbox:
    from ingest_assets.project import Project

    require_home(settings)
    return Project(settings, prepares=False).inbox


def _given(keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        if key == _STDIN:
            yield from (line for each in sys.stdin if (line := each.rstrip("\r\n")))
        else:
            yield key


def _require_key_of_file(key: str) -> None:
    from ingest_assets.buckets.contract import is_passed_over
    from ingest_assets.file_ids import file_id_of, require_possible_key

    require_possible_key(key)
    file_id_of(key)
    if any(is_passed_over(segment) for segment in key.split("/")):
        raise BadInput(f"{key}: files of this name are passed over (hidden, locked or unfinished files); rename it")


def _log(message: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    typer.echo(f"{now} {printable(message)}")

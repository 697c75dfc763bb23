"""Declare the commands about what others say has changed: notify, listen, inbox."""

from __future__ import annotations

from typing import Annotated

import typer

from ingest_assets.cli.options import EXIT_PROBLEM, JsonOption


def notify(
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="USER/PROJECT/FILENAME; - reads one from each line of standard input"),
    ],
    as_json: JsonOption = False,
) -> None:
    """Say that files in the bucket were written or removed.

    They are looked at first, before the listing of the bucket comes to them. A key that no file can have is refused and
    named; the others are taken.

    Exit codes: 0 all keys were taken; 1 some were refused; other codes as for every command.
    """
    from ingest_assets.cli.messages.events import notify_keys, show_notified
    from ingest_assets.config.settings import load_settings

    notified = notify_keys(load_settings(), keys)
    show_notified(notified, as_json=as_json)
    if notified.refused:
        raise typer.Exit(EXIT_PROBLEM)


def listen() -> None:
    """Stay, and start runs within a second or two of an event.

    One small process for a host. It receives the bucket's events (INGEST_EVENTS_QUEUE), looks at the keys that they and
    `ingest notify` name, and puts the runs into the queue of Dagster's daemon, which must run too. Start it in the
    folder that the daemon is started in. SIGTERM and Ctrl-C stop it; nothing is lost also if it is killed.
    """
    from ingest_assets.cli.messages.events import listen_until_stopped
    from ingest_assets.config.settings import load_settings

    listen_until_stopped(load_settings())


def inbox(as_json: JsonOption = False) -> None:
    """Show keys that wait, and messages that were unreadable.

    Keys come from events, from `ingest notify` and from the API; messages from the queue of events.

    Exit codes: 0 all messages could be read; 1 some were set aside; other codes as for every command.
    """
    from ingest_assets.cli.messages.events import look_into_inbox, show_inbox
    from ingest_assets.config.settings import load_settings

    contents = look_into_inbox(load_settings())
    show_inbox(contents, as_json=as_json)
    if contents.set_aside:
        raise typer.Exit(EXIT_PROBLEM)


COMMANDS = (notify, listen, inbox)

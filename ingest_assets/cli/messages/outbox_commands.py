"""Declare the commands about messages: outbox."""

from __future__ import annotations

from typing import Annotated

import typer

from ingest_assets.cli.options import EXIT_PROBLEM, JsonOption


def outbox(
    replay: Annotated[
        list[str] | None,
        typer.Option("--replay", metavar="ID|all", help="send a message again that was given up; may be repeated"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the messages that wait or were given up.

    They go to INGEST_PROGRESS_URL and to the callbacks of requests. A message is given up when its receiver refuses it,
    or fails for a day. With --replay such messages wait again; the sensor `progress`, `ingest listen` or the next
    `ingest work` sends them.

    Exit codes: 0 none was given up; 1 some were, or there is none to replay; other codes as for every command.
    """
    from ingest_assets.cli.messages.outbox import look_at_outbox, replay_letters, show_outbox
    from ingest_assets.cli.opening import require_home
    from ingest_assets.cli.tables.output import print_json
    from ingest_assets.config.settings import load_settings
    from ingest_assets.project import Project

    settings = load_settings()
    require_home(settings)
    opened = Project(settings, prepares=False).outbox
    if replay:
        replayed = replay_letters(opened, replay)
        if as_json:
            print_json({"replayed": replayed})
        else:
            typer.echo(f"{replayed} messages are sent again")
        return
    report = look_at_outbox(opened, settings)
    show_outbox(report, as_json=as_json)
    if report.dead:
        raise typer.Exit(EXIT_PROBLEM)


COMMANDS = (outbox,)

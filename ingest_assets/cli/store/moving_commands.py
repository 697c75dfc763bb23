"""Declare the command that moves in from an earlier system: adopt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest_assets.cli.options import EXIT_PROBLEM, JsonOption

if TYPE_CHECKING:
    from ingest_assets.adoption.moving_in import MovingIn


def adopt(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="SYSTEM",
            help="mongodb[:URI], queue:FOLDER, llamaindex[:URL], chat:FOLDER or chat:URL (docs/replaces.md)",
        ),
    ],
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER", help="the owner of rows that name none")] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PROJECT", help="the project of rows that name none")
    ] = "",
    collection: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="a collection or table to read; without it, all")
    ] = None,
    files: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="queue: where its files lie now, if they were moved")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="adopt; without it, only say what would be done")] = False,
    as_json: JsonOption = False,
) -> None:
    """Move in from an earlier system; dry run without --apply.

    Its documents become documents whose chunks were handed in, with their vectors where the model is the same. Run it
    as often as you like: what was adopted already stays as it is. Exit codes: 0 everything is adopted, or can be; 1
    something was refused; other codes as for every command.
    """
    from ingest_assets.adoption.moving_in import MovingIn

    kind, _, location = source.partition(":")
    wanted = MovingIn(
        kind=kind,
        location=location,
        user_id=user,
        project_id=project,
        only=tuple(collection or ()),
        files=files,
        apply=apply,
    )
    if not _move_in(wanted, as_json=as_json):
        raise typer.Exit(EXIT_PROBLEM)


def _move_in(wanted: MovingIn, *, as_json: bool) -> bool:
    """Adopt what the earlier system has, or say what would be done; tell whether nothing of it was refused."""
    from ingest_assets.adoption.fields import FieldNames
    from ingest_assets.adoption.moving_in import move_in
    from ingest_assets.cli.tables.moving_tables import show_adopted, show_plan
    from ingest_assets.config.home import prepare_home
    from ingest_assets.config.settings import load_settings

    settings, names = load_settings(), FieldNames()
    if wanted.apply:
        prepare_home(settings)
    done = []
    for each in move_in(wanted, settings=settings, names=names):
        done.append(each)
        if not as_json:
            show_adopted(each)
    show_plan(done, applied=wanted.apply, fields=names.used, as_json=as_json)
    return all(each.is_whole for each in done)


COMMANDS = (adopt,)

"""Declare the commands about the bucket's files as a whole: index, confirm-deletes, sweep, erase."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ingest_assets.cli.options import EXIT_USAGE, JsonOption

if TYPE_CHECKING:
    from ingest_assets.project import Project


def index(as_json: JsonOption = False) -> None:
    """Make the index of files again from the store.

    The sensor does so by itself when the index is missing or behind. Nothing is read, embedded or removed.
    """
    from ingest_assets.cli.tables.output import print_json, told_if_slow

    opened = _open()
    with told_if_slow("reading the ledger"):
        differed = opened.rebuild_index()
    if as_json:
        print_json({"differed": differed})
    else:
        typer.echo(f"the index agrees with the ledger; {differed} files differed")


def confirm_deletes(as_json: JsonOption = False) -> None:
    """Let all files go that are missing from the bucket now.

    `ingest status` names the deletes that wait. The sensor or `ingest work` then purges the files.
    """
    from ingest_assets.cli.tables.output import print_json

    missing = _open().deletes.confirm()
    if as_json:
        print_json({"confirmed": missing})
    else:
        typer.echo(f"{missing} files are missing from the bucket and may be purged")


def sweep(as_json: JsonOption = False) -> None:
    """Remove artifacts without a file, old runs, old messages.

    The schedule of this name does it each night.
    """
    from ingest_assets.cli.files.local_runs import open_instance
    from ingest_assets.cli.tables.output import print_json
    from ingest_assets.defs.sweep import sweep as sweep_project

    opened = _open()
    with open_instance(opened.settings) as instance:
        swept = sweep_project(opened, instance)
    if as_json:
        print_json(asdict(swept))
    else:
        typer.echo(
            f"removed {swept.artifacts} results without a file, {swept.uploads} uploads, and {swept.runs} runs and "
            f"{swept.messages} messages of more than {opened.settings.keep_days} days ago; {swept.differed} files of "
            "the index differed"
        )


def erase(
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER", help="whose files")],
    project: Annotated[str, typer.Option("--project", "-p", metavar="PROJECT", help="only this project's")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove all that is kept of a user or of a project.

    Files in the bucket, chunks, records, artifacts, captions, messages and Dagster's runs. It cannot be undone.
    """
    from ingest_assets.cli.files.local_runs import open_instance
    from ingest_assets.cli.tables.output import print_json
    from ingest_assets.defs.erase import erase as erase_owner

    opened = _open()
    owner = f"{user}/{project}" if project else user
    if not yes and not typer.confirm(f"remove all files of {owner} and everything made of them?", err=True):
        raise typer.Exit(EXIT_USAGE)
    with open_instance(opened.settings) as instance:
        erased = erase_owner(opened, instance, user_id=user, project_id=project)
    if as_json:
        print_json(asdict(erased))
    else:
        typer.echo(
            f"{owner}: removed {erased.objects} files of the bucket, {erased.records} records with their artifacts and "
            f"captions, {erased.rows} chunks, {erased.messages} messages, {erased.runs} runs"
        )


def _open() -> Project:
    from ingest_assets.cli.opening import open_for_reading
    from ingest_assets.project import Project

    return Project(open_for_reading().settings)


COMMANDS = (index, confirm_deletes, sweep, erase)

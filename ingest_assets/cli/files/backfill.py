"""Start, cancel or resume a backfill: a run for each of many files, which the daemon starts and the UI shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ingest_assets.cli.options import JsonOption, scope_of
from ingest_assets.errors import ConfigError

if TYPE_CHECKING:
    from ingest_assets.defs.queue.backfills import Backfill
    from ingest_assets.project import Project


class Selection(StrEnum):
    """Which files of the bucket."""

    ALL = "all files"
    FAILED = "failed files"
    OUT_OF_DATE = "files that are out of date"


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a command did."""

    backfill_id: str
    """Empty if no file was to be run."""
    files: int
    status: str


def backfill(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...]", help="USER/PROJECT/FILENAME, or partition keys, of any length"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every file of the ledger")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="files whose last attempt failed")] = False,
    out_of_date: Annotated[
        bool, typer.Option("--out-of-date", help="files that other code, settings or models have processed")
    ] = False,
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER", help="only the files of this owner")] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PROJECT", help="only the files of this project of the owner")
    ] = "",
    cancel: Annotated[str, typer.Option(metavar="ID", help="cancel this backfill and its runs")] = "",
    resume: Annotated[
        str, typer.Option(metavar="ID", help="run what did not succeed in this backfill, which has ended")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Ask the daemon for a run of each of many files.

    It is the backfill that the UI's button *Materialize all* starts, and the UI's page *Backfills* shows it. Unchanged
    files cost a moment each. Without a daemon, `ingest add` and `ingest work` run files.
    """
    flags = {Selection.ALL: everything, Selection.FAILED: failed, Selection.OUT_OF_DATE: out_of_date}
    chosen = [selection for selection, is_chosen in flags.items() if is_chosen]
    _require_one_wish(chosen, files, cancel, resume, user=user, project=project)
    from ingest_assets.cli.opening import open_for_reading

    parts = open_for_reading()
    names = _names(parts, chosen, files, user=user, project=project)
    title = chosen[0].value if chosen else f"{len(names)} chosen files"
    done, is_running = _ask(parts, cancel=cancel, resume=resume, names=names, title=title)
    _show(done, as_json=as_json)
    if done is not None and not is_running:
        typer.echo("no daemon has been seen in the last two minutes; the backfill waits until one runs", err=True)


def _ask(parts: Project, *, cancel: str, resume: str, names: Sequence[str], title: str) -> tuple[Backfill | None, bool]:
    """Cancel or resume a backfill, or start one if there are files for it; tell too whether a daemon runs."""
    from ingest_assets.cli.files.local_runs import open_instance
    from ingest_assets.defs.queue.backfills import cancel_backfill, daemon_is_running, resume_backfill, start_backfill

    done: Backfill | None = None
    shards = parts.settings.shards
    with open_instance(parts.settings) as instance:
        if cancel:
            done = cancel_backfill(instance, cancel, shards=shards)
        elif resume:
            done = resume_backfill(instance, resume, shards=shards)
        elif names:
            done = start_backfill(instance, names, title=title, shards=shards)
        return done, daemon_is_running(instance)


def _require_one_wish(
    chosen: Sequence[Selection], files: Sequence[str] | None, cancel: str, resume: str, *, user: str, project: str
) -> None:
    """Refuse options that contradict each other."""
    if sum(map(bool, (files, cancel, resume))) + len(chosen) != 1:
        raise ConfigError("give one of FILE..., --all, --failed, --out-of-date, --cancel ID and --resume ID")
    if (user or project) and not chosen:
        raise ConfigError("--user and --project narrow --all, --failed and --out-of-date, and nothing else")
    if user or project:
        scope_of(user, project or "any")  # refuses a project without its user


def _names(
    parts: Project, chosen: Sequence[Selection], files: Sequence[str] | None, *, user: str, project: str
) -> list[str]:
    """List the files to run: those of the selection, or those that are named."""
    if chosen:
        return [name for name in _selected(parts, chosen[0]) if _is_of(name, user, project)]
    return [_file_id(name) for name in files or []]


def _selected(parts: Project, selection: Selection) -> list[str]:
    """List the files of the bucket that are selected, by the index, which is made first where it is not there."""
    if not parts.is_index_built():
        parts.rebuild_index()
    if selection is Selection.FAILED:
        return parts.index.failed()
    if selection is Selection.OUT_OF_DATE:
        return parts.index.stale(parts.current_fingerprint)
    return sorted(parts.index.file_ids().in_ledger)


def _is_of(file_id: str, user: str, project: str) -> bool:
    """Tell whether a file is the user's and of the project; an empty name stands for all."""
    from ingest_assets.file_ids import key_of, owner_of

    user_id, project_id, _ = owner_of(key_of(file_id))
    return user in ("", user_id) and project in ("", project_id)


def _file_id(name: str) -> str:
    """Return the partition key of a file that is named by its key or by its partition key.

    Raises:
        BadInput: it is neither.
    """
    from ingest_assets.file_ids import file_id_of, is_in_bucket, is_valid

    if ":" in name and is_valid(name) and is_in_bucket(name):
        return name
    return file_id_of(name)


def _show(done: Backfill | None, *, as_json: bool) -> None:
    from ingest_assets.cli.tables.output import print_json

    if as_json:
        report = BackfillReport(done.backfill_id, done.files, done.status) if done else BackfillReport("", 0, "")
        print_json(report)
    elif done is None:
        typer.echo("no file is to be run")
    else:
        typer.echo(f"backfill {done.backfill_id}: {done.files} files, {done.status.lower()}")

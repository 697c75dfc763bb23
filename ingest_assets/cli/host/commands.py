"""Declare the commands about this host and its settings: prepare, config, doctor, plan; `backup` is in `backup.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ingest_assets.cli.host.backup import backup
from ingest_assets.cli.options import EXIT_PROBLEM, EXIT_USAGE, JsonOption

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings


def prepare(
    take_over: Annotated[
        bool, typer.Option("--take-over", help="use a store that holds another bucket's files, which it gives up")
    ] = False,
) -> None:
    """Make home, bucket, store and converted model ready.

    It does what the first run would otherwise do. It can be repeated. After an upgrade it brings tables of an earlier
    release up to date.
    """
    from ingest_assets.cli.tables.output import told_if_slow
    from ingest_assets.config.home import prepare_home
    from ingest_assets.config.settings import load_settings
    from ingest_assets.project import Project

    project = Project(load_settings())
    prepare_home(project.settings)
    _make_instance(project.settings)
    if take_over:
        project.bucket.prepare()
        project.take_over_store()
    with told_if_slow("preparing the store"):
        if not take_over:
            project.require_known_bucket()
        project.mark_bucket()
    with told_if_slow("converting the embedding model, once; this takes some seconds"):
        project.embedder.embed(["ready"])
    typer.echo(f"{project.settings.home} is ready; vectors by {project.embedder.model}")


def _make_instance(settings: Settings) -> None:
    """Let Dagster make its databases now: two processes that make them at one time leave them damaged (1.13.27)."""
    from dagster import DagsterInstance

    DagsterInstance.from_config(str(settings.home)).dispose()


def plan(as_json: JsonOption = False) -> None:
    """Estimate what is done again after a change.

    The change is a new release or new settings. Prints files, hours and tokens, by the first stage that changed, with
    the reason; nothing is done. Set settings for this command alone to learn what they would cost:
    `INGEST_CHUNK_MAX_WORDS=400 ingest plan`.
    """
    from ingest_assets.cli.host.plan import plan_rework, show_plan
    from ingest_assets.cli.opening import open_for_reading

    found, known = plan_rework(open_for_reading())
    show_plan(found, known=known, as_json=as_json)


def config(as_json: JsonOption = False) -> None:
    """Show every setting: value, where it came from, meaning."""
    from ingest_assets.cli.tables.settings_table import setting_rows, show_settings
    from ingest_assets.config.settings import load_settings

    show_settings(setting_rows(load_settings()), as_json=as_json)


def doctor(as_json: JsonOption = False) -> None:
    """Show this host's plan and what is wrong; change nothing.

    The plan: memory, stack, cap of a run, windows, runs at once. Exit codes: 0 nothing is wrong; 1 something is; 2 a
    setting with which no run would start; other codes as for every command.
    """
    from ingest_assets.cli.host.doctor import inspect_host, show_report
    from ingest_assets.config.settings import load_settings

    report = inspect_host(load_settings())
    show_report(report, as_json=as_json)
    if report.problems:
        raise typer.Exit(EXIT_USAGE if any(problem.wrong_setting for problem in report.problems) else EXIT_PROBLEM)


def prune_runs(
    days: Annotated[int, typer.Option(min=0, metavar="N", help="keep the runs of the last N days")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Delete Dagster's records of old runs, and nothing else.

    Dagster keeps every run and its events for ever, 0.2 to 0.3 MB a run. Files, chunks and the ledger stay as they are;
    Dagster's UI then shows no run and no materialization of files that only old runs processed.
    """
    from ingest_assets.cli.files.local_runs import open_instance
    from ingest_assets.cli.opening import require_home
    from ingest_assets.cli.tables.output import print_json
    from ingest_assets.config.settings import load_settings
    from ingest_assets.defs.sweep import delete_old_runs

    settings = load_settings()
    require_home(settings)
    with open_instance(settings) as instance:
        deleted = delete_old_runs(instance, days=days)
    if as_json:
        print_json({"deleted": deleted})
    else:
        typer.echo(f"{deleted} runs deleted that ended more than {days} days ago")


COMMANDS = (prepare, plan, config, doctor, backup, prune_runs)

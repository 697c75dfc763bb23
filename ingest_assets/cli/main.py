"""The command line `ingest`: a thin door to the stages, the ledger and the runs.

Exit codes: 0 all is well; 1 a file ended failed or partial, or was not found; 2 wrong usage or settings; 3 a service is
away, try again later; 4 files are left (`ingest work`); 130 interrupted. `--json` prints what a program would read, one
document, on standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ingest_assets.cli import add as cli_add
from ingest_assets.cli import doctor as cli_doctor
from ingest_assets.cli import store as cli_store
from ingest_assets.cli import tables as cli_tables
from ingest_assets.cli import work as cli_work
from ingest_assets.cli.bucket_status import look_at_bucket
from ingest_assets.cli.options import AsJson, Project, User, scope_of
from ingest_assets.cli.settings_table import table
from ingest_assets.config.home import prepare_home
from ingest_assets.config.settings import load_settings
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.file_ids import client_file_id, file_id_of, is_in_bucket
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.stores.contract import all_records

if TYPE_CHECKING:
    from ingest_assets.defs.resources import Workshop

app = typer.Typer(
    name="ingest",
    help="Turn files into searchable knowledge, one capped run per file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

EXIT_PROBLEM, EXIT_USAGE, EXIT_OUTSIDE, EXIT_LEFT, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

File = Annotated[str, typer.Argument(metavar="FILE", help="USER/PROJECT/FILENAME, or the partition key of the file")]


def main() -> None:
    """Run the command line and turn our errors into exit codes."""
    try:
        app()
    except BadInput as error:
        _leave(error, EXIT_PROBLEM)
    except ConfigError as error:
        _leave(error, EXIT_USAGE)
    except OutsideError as error:
        _leave(error, EXIT_OUTSIDE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


@app.command()
def prepare(
    take_over: Annotated[
        bool, typer.Option("--take-over", help="use a store that another bucket was using; it must be given up")
    ] = False,
) -> None:
    """Make ready what a first run would have to wait for: home, store and converted model; any number of times."""
    workshop = _workshop()
    prepare_home(workshop.settings)
    workshop.bucket.prepare()
    if take_over:
        workshop.take_over_store()
    workshop.store.prepare()
    workshop.embedder.embed(["ready"])
    typer.echo(f"{workshop.settings.home} is ready; vectors by {workshop.embedder.model}")


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="files, or folders of files", exists=True)],
    user: User,
    project: Project,
    as_json: AsJson = False,
) -> None:
    """Put files into the bucket and process them; unchanged ones are skipped."""
    outcomes = cli_add.add(paths, scope=scope_of(user, project), settings=load_settings(), quiet=as_json)
    cli_tables.show_outcomes(outcomes, as_json=as_json)
    if any(outcome.record.state in {State.FAILED, State.PARTIAL} for outcome in outcomes):
        raise typer.Exit(EXIT_PROBLEM)


@app.command()
def work(
    max_files: Annotated[int | None, typer.Option("--max-files", min=1, help="stop after so many files")] = None,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="go on until nothing is pending, files that still arrive included")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Process what is pending in the bucket, one file per capped process; for hosts without a daemon.

    Exit codes: 0 all files ended well and none is left; 1 a file ended failed or partial, or is nobody's by its name;
    4 files are left; else as everywhere. Killed at any point, the next call goes on.
    """
    done = cli_work.Done()
    for done in cli_work.work(load_settings(), max_files=max_files, until_empty=until_empty):
        if not as_json and done.outcomes:
            typer.echo(f"files done: {len(done.outcomes)}, left: {done.left}", err=True)
    cli_tables.show_work(
        done.outcomes,
        purged=done.purged,
        misplaced=done.misplaced,
        unreadable=done.unreadable,
        left=done.left,
        as_json=as_json,
    )
    if not done.all_well:
        raise typer.Exit(EXIT_PROBLEM)
    if done.left:
        raise typer.Exit(EXIT_LEFT)


@app.command()
def status(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="one file in full")] = "",
    problems: Annotated[bool, typer.Option("--problems", help="only files that need somebody")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how many files are in which state, and what is wrong with which; or all about one file."""
    workshop = _workshop()
    if file:
        return cli_tables.show_file(_record(workshop, file), as_json=as_json)
    records = list(all_records(workshop.store))
    seen = look_at_bucket(workshop.bucket, records)
    cli_tables.show_status(
        records,
        arriving=seen.arriving,
        misplaced=seen.misplaced,
        unreadable=seen.unreadable,
        problems_only=problems,
        as_json=as_json,
    )
    if seen.unreadable:
        raise typer.Exit(EXIT_PROBLEM)
    return None


@app.command()
def files(
    user: Annotated[str, typer.Option("--user", "-u", help="only this user's")] = "",
    project: Annotated[str, typer.Option("--project", "-p", help="only this project's")] = "",
    as_json: AsJson = False,
) -> None:
    """List the files of the ledger, with what came of each."""
    chosen = [
        record
        for record in all_records(_workshop().store)
        if user in {"", record.user_id} and project in {"", record.project_id}
    ]
    cli_tables.show_files(chosen, as_json=as_json)


@app.command()
def chunks(
    file: File,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="from which")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show a file's chunks as they stand in the store."""
    workshop = _workshop()
    record = _record(workshop, file)
    cli_tables.show_chunks(workshop.store.chunks(record.file_id, limit=limit, offset=offset), as_json=as_json)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="a question, or words")],
    user: User,
    project: Project,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=100, help="how many answers")] = 5,
    as_json: AsJson = False,
) -> None:
    """Find the chunks of one project that are nearest in meaning, with file, page and score."""
    from ingest_assets.stages.search import search as find

    workshop, scope = _workshop(), scope_of(user, project)
    try:
        hits = find(query, k=k, scope=scope, embedder=workshop.embedder, store=workshop.store)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    cli_tables.show_hits(query, hits, as_json=as_json)


@app.command()
def remove(file: File, as_json: AsJson = False) -> None:
    """Delete a file from the bucket, and its chunks, record, artifacts and partition with it."""
    import dagster as dg

    from ingest_assets.defs.busy_files import files_in_runs
    from ingest_assets.defs.purge import purge

    workshop = _workshop()
    record = _record(workshop, file)
    with dg.DagsterInstance.from_config(str(prepare_home(workshop.settings))) as instance:
        if record.file_id in files_in_runs(instance):
            raise OutsideError(f"{record.key}: it is being ingested; remove it when its run has ended")
        if is_in_bucket(record.file_id):
            workshop.bucket.delete(record.key)
        rows = purge(record.file_id, workshop=workshop, instance=instance)
    cli_tables.show_removed(record.key, rows or 0, as_json=as_json)


@app.command()
def config(as_json: AsJson = False) -> None:
    """Show every setting: its value, where the value came from, and what it means."""
    cli_tables.show_settings(table(load_settings()), as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Print this host's plan (memory, stack, cap, windows, runs at once) and what is wrong; change nothing."""
    report = cli_doctor.examine(load_settings())
    cli_doctor.show(report, as_json=as_json)
    if report.problems:
        raise typer.Exit(EXIT_USAGE if any(problem.wrong_setting for problem in report.problems) else EXIT_PROBLEM)


for command in cli_store.COMMANDS:
    app.command()(command)


def _workshop() -> Workshop:
    from ingest_assets.defs.resources import Workshop

    return Workshop(load_settings())


def _record(workshop: Workshop, file: str) -> FileRecord:
    names = [name for name in (_file_id(file), file) if name]
    record = next((found for name in names if (found := workshop.store.file(name))), None)
    if record is None:
        raise BadInput(f"{file}: not in the ledger; `ingest files` lists what is, as USER/PROJECT/FILENAME")
    return record


def _file_id(key: str) -> str:
    owner, handed_in, doc_id = key.partition("//")
    user, _, project = owner.partition("/")
    try:
        return client_file_id(user, project, doc_id) if handed_in else file_id_of(key)
    except BadInput:
        return ""


def _leave(error: Exception, code: int) -> NoReturn:
    typer.echo(str(error), err=True)
    sys.exit(code)

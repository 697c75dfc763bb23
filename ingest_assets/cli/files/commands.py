"""Declare the commands about files: add, work, status, files, chunks, export, search, remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ingest_assets.cli.options import (
    EXIT_LEFT,
    EXIT_PROBLEM,
    FileArgument,
    JsonOption,
    ProjectOption,
    UserOption,
    scope_of,
)
from ingest_assets.errors import OutsideError


def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="files, or folders of files", exists=True)],
    user: UserOption,
    project: ProjectOption,
    callback: Annotated[
        str, typer.Option("--callback", metavar="URL", help="tell this URL what becomes of the files, for a week")
    ] = "",
    metadata: Annotated[
        str,
        typer.Option("--metadata", metavar="JSON", help="fields that the files' chunks carry, to filter searches by"),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Put files into the bucket and process them.

    Unchanged files are skipped. A folder's files keep their path below it; hidden files, lock files, unfinished and
    empty ones are passed over and named.
    """
    scope = scope_of(user, project)
    from ingest_assets.cli.files.add import add_files
    from ingest_assets.cli.messages.delivery import deliver_messages
    from ingest_assets.cli.tables import file_tables
    from ingest_assets.config.settings import load_settings

    settings = load_settings()
    processed = add_files(paths, scope=scope, settings=settings, quiet=as_json, callback=callback, metadata=metadata)
    deliver_messages(settings, within_s=10)
    file_tables.show_processed(processed, as_json=as_json)
    if any(each.is_problem for each in processed):
        raise typer.Exit(EXIT_PROBLEM)


def work(
    max_files: Annotated[
        int | None, typer.Option("--max-files", min=1, metavar="N", help="stop after so many files")
    ] = None,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="go on until nothing is pending, files that still arrive included")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Process what is pending in the bucket, without a daemon.

    One file per memory-capped process, for a cron line or a container's job. After a kill the next call goes on.

    Exit codes: 0 all files ended well and none is left; 1 a file ended failed or partial, or lies outside of any user's
    project; 4 files are left; other codes as for every command.
    """
    from ingest_assets.cli.files.work import WorkDone, work_on
    from ingest_assets.cli.messages.delivery import deliver_messages
    from ingest_assets.cli.tables import file_tables
    from ingest_assets.config.settings import load_settings

    settings, done = load_settings(), WorkDone()
    for done in work_on(settings, max_files=max_files or settings.max_iterations or None, until_empty=until_empty):
        deliver_messages(settings, within_s=2)
        if not as_json and done.processed:
            typer.echo(f"files done: {len(done.processed)}, left: {done.left}", err=True)
    deliver_messages(settings, within_s=10)
    file_tables.show_work(
        done.processed,
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


def status(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="one file (USER/PROJECT/FILENAME) instead of all")] = "",
    problems: Annotated[bool, typer.Option("--problems", help="print problems only")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count files by state and name problems; or show one file.

    Exit codes: 0 all is well; 1 a file ended failed or partial, lies outside of any user's project or cannot be read,
    or deletes wait for a person, or FILE is one of these or not known; other codes as for every command.
    """
    from ingest_assets.cli.bucket.status import look_at_project, way_of
    from ingest_assets.cli.opening import file_id_named, open_for_reading, place_of, record_of_file
    from ingest_assets.cli.tables import file_tables

    opened = open_for_reading()
    if file:
        file_id = file_id_named(file) or file
        way = "" if as_json else way_of(opened, file_id)
        if way:
            typer.echo(f"{file} is {way}")
        if way and opened.store.file(file_id) is None:
            return
        record = record_of_file(opened, file)
        file_tables.show_file(record, as_json=as_json)
        bad = record.state in file_tables.PROBLEMS
    else:
        found = look_at_project(opened)
        file_tables.show_status(found, place=place_of(opened.settings), problems_only=problems, as_json=as_json)
        bad = found.needs_a_person
    if bad:
        raise typer.Exit(EXIT_PROBLEM)


def files(
    user: Annotated[str, typer.Option("--user", "-u", metavar="USER", help="only this user's")] = "",
    project: Annotated[str, typer.Option("--project", "-p", metavar="PROJECT", help="only this project's")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the files of the ledger, with what came of each."""
    from ingest_assets.cli.opening import open_for_reading, place_of
    from ingest_assets.cli.tables import file_tables
    from ingest_assets.stores.contract import all_records

    opened = open_for_reading()
    chosen = [
        record
        for record in all_records(opened.store)
        if user in {"", record.user_id} and project in {"", record.project_id}
    ]
    file_tables.show_files(chosen, place=place_of(opened.settings), as_json=as_json)


def chunks(
    file: FileArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="how many")] = 20,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="how many to leave out before them")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show a file's chunks as they stand in the store."""
    from ingest_assets.cli.opening import open_for_reading, record_of_file
    from ingest_assets.cli.tables import file_tables

    opened = open_for_reading()
    record = record_of_file(opened, file)
    file_tables.show_chunks(opened.store.chunks(record.file_id, limit=limit, offset=offset), as_json=as_json)


def export(
    file: FileArgument,
    form: Annotated[
        Literal["markdown", "json"],
        typer.Option("--format", help="markdown to read; json with every element, its page and what a picture shows"),
    ] = "markdown",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="PATH", help="write a file instead")] = None,
) -> None:
    """Write a document as it was read, as Markdown or JSON.

    Of a document whose chunks were handed in, its chunks are written.
    """
    from ingest_assets.actions.documents import Form, exported
    from ingest_assets.cli.opening import open_for_reading, record_of_file

    opened = open_for_reading()
    pieces = exported(opened, record_of_file(opened, file), form=Form(form))
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    unfinished = output.with_name(f".{output.name}.part")
    with unfinished.open("wb") as written:
        written.writelines(pieces)
    unfinished.replace(output)


def search(
    query: Annotated[
        str, typer.Argument(metavar="QUESTION", help="a question, or words; - reads questions from standard input")
    ],
    user: UserOption,
    project: ProjectOption,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=100, metavar="N", help="how many answers")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Find the chunks of one project nearest in meaning.

    Prints file, pages, section and cosine similarity. With - for the question, one is read from each line of standard
    input and answered at once, with the model loaded once; `--json` then prints one line of JSON for each.
    A service that runs on this machine is asked, where there is one.
    """
    scope = scope_of(user, project)
    from ingest_assets.cli.files.questions import Answers, answer, answer_lines
    from ingest_assets.cli.opening import settings_for_reading

    answers = Answers(settings_for_reading(), scope=scope, k=k)
    if query == "-":
        answer_lines(answers, as_json=as_json)
    else:
        answer(answers, query, as_json=as_json)


def remove(file: FileArgument, as_json: JsonOption = False) -> None:
    """Delete a file from the bucket and from everywhere else.

    Its chunks, record, artifacts and partition go with it.
    """
    from ingest_assets.cli.opening import open_for_reading, record_of_file
    from ingest_assets.cli.tables import file_tables
    from ingest_assets.config.home import prepare_home
    from ingest_assets.file_ids import is_in_bucket
    from ingest_assets.project import Project

    opened = Project(open_for_reading().settings)  # prepared: a store that is another bucket's is refused
    record = record_of_file(opened, file)

    import dagster as dg

    from ingest_assets.defs.purge import purge
    from ingest_assets.defs.queue.busy_files import files_in_runs

    with dg.DagsterInstance.from_config(str(prepare_home(opened.settings))) as instance:
        if record.file_id in files_in_runs(instance):
            raise OutsideError(f"{record.key}: it is being ingested; remove it when its run has ended")
        if is_in_bucket(record.file_id):
            opened.bucket.delete(record.key)
        rows = purge(record.file_id, project=opened, instance=instance)
    file_tables.show_removed(record.key, rows or 0, as_json=as_json)


COMMANDS = (add, work, status, files, chunks, export, search, remove)

"""Declare the commands about the whole store: validate, repair, optimize, put-chunks, migrate, change-model."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from ingest_assets.cli.options import EXIT_PROBLEM, JsonOption, ProjectOption, UserOption, scope_of
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.ledger_records import utc_text

if TYPE_CHECKING:
    from ingest_assets.ledger_records import FileRecord
    from ingest_assets.project import Project
    from ingest_assets.stages.embed import Embedder
    from ingest_assets.stores.contract import LedgerReading, StoreEditing, VectorStore

_PASSES = 10
"""Passes of `migrate` over a source that is written to meanwhile."""


def validate(as_json: JsonOption = False) -> None:
    """Compare ledger, kept chunks and store; change nothing.

    Names everything that disagrees. Exit codes: 0 all agrees; 1 something does not; other codes as for every command.
    """
    from ingest_assets.actions.upkeep import validate_store
    from ingest_assets.cli.opening import open_for_reading
    from ingest_assets.cli.tables.store_tables import ValidationReport, show_validation

    opened = open_for_reading()
    report = ValidationReport.of(validate_store(opened, busy=_busy(opened)))
    show_validation(report, as_json=as_json)
    if report.counts:
        raise typer.Exit(EXIT_PROBLEM)


def repair(
    apply: Annotated[bool, typer.Option("--apply", help="repair; without it, only say what would be done")] = False,
    as_json: JsonOption = False,
) -> None:
    """Repair what `validate` finds; a dry run without --apply.

    Only what is missing is embedded. Exit codes: 0 nothing is left to repair; 1 something is; other codes as for every
    command.
    """
    from ingest_assets.actions.upkeep import repair_store
    from ingest_assets.cli.tables.store_tables import show_repairs

    opened = _open()
    done = list(repair_store(opened, apply=apply, busy=_busy(opened)))
    show_repairs(done, applied=apply, as_json=as_json)
    if done and not (apply and all(each.is_whole for each in done)):
        raise typer.Exit(EXIT_PROBLEM)


def optimize(
    duplicates: Annotated[
        Literal["keep", "file", "project"],
        typer.Option(help="which chunks of equal text go: none, later ones of a file, or of a project"),
    ] = "file",
    as_json: JsonOption = False,
) -> None:
    """Remove duplicates, complete metadata, compact the store.

    Sets the flags rag_strict and source_only as well. Exit codes: 0 done; 1 some files were not optimized, because they
    need `ingest repair` first; other codes as for every command.
    """
    from ingest_assets.actions.upkeep import optimize_store
    from ingest_assets.cli.tables.store_tables import OptimizeReport, show_optimized
    from ingest_assets.stages.upkeep.optimize import Duplicates

    opened = _open()
    report = OptimizeReport()
    for optimized in optimize_store(opened, duplicates=Duplicates(duplicates), busy=_busy(opened)):
        report.add(optimized)
    report.compacted = opened.store.compact()
    show_optimized(report, as_json=as_json)
    if report.need_repair:
        raise typer.Exit(EXIT_PROBLEM)


def put_chunks(
    file: Annotated[Path, typer.Argument(metavar="PATH", help="a file of JSON lines, or - for standard input")],
    user: UserOption,
    project: ProjectOption,
    as_json: JsonOption = False,
) -> None:
    """Put chunks that were cut elsewhere into the store.

    One JSON object a line, with doc_id, chunk_id and text. Each line is answered inserted, identical, conflict or
    rejected; `--json` prints the answers, a line each, as they come. Exit codes: 0 all are in the store; 1 some were
    rejected or are in conflict; other codes as for every command.
    """
    scope = scope_of(user, project)
    from ingest_assets.cli.tables.store_tables import show_answer
    from ingest_assets.stages.client_chunks import client_chunks
    from ingest_assets.stages.prechunk import Status, add_chunks

    opened, counts = _open(), Counter[Status]()

    def in_use() -> tuple[StoreEditing, Embedder]:
        opened.follow_model_change()
        return opened.store, opened.embedder

    with _stream_of(file) as stream:
        for answer in add_chunks(client_chunks(stream), scope=scope, opened=in_use, now=utc_text):
            counts[answer.status] += 1
            show_answer(answer, as_json=as_json)
    if not as_json:
        typer.echo(", ".join(f"{counts[status]} {status.value}" for status in Status))
    if counts[Status.CONFLICT] or counts[Status.REJECTED]:
        raise typer.Exit(EXIT_PROBLEM)


def migrate(
    source: Annotated[
        str,
        typer.Option("--from", metavar="STORE", help="KIND:WHERE, such as chroma:FOLDER, or KIND as in the settings"),
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="STORE", help="KIND:WHERE, such as pgvector:postgresql://HOST/DATABASE")
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy everything to another store and validate both.

    Vectors are copied as they are. Interrupted, run it again: it goes on. Exit codes: 0 both sides agree; 1 they do
    not, or one of them needs `ingest repair`; other codes as for every command.
    """
    from ingest_assets.buckets.opening import open_bucket
    from ingest_assets.cli.tables.store_tables import ValidationReport, show_migration
    from ingest_assets.config.settings import load_settings
    from ingest_assets.stages.upkeep.validate import validate
    from ingest_assets.stores.contract import all_records
    from ingest_assets.wiring import store_owner

    if source == target:
        raise ConfigError("--from and --to are the same store")
    settings = load_settings()
    with closing(_store_at(source)) as there, closing(_store_at(target)) as here:
        there.prepare()
        here.prepare(store_owner(settings, open_bucket(settings)))
        copied, there_already, is_done = _copied_until_done(there, here)
        found = [ValidationReport.of(validate(store, kept=lambda record: None)) for store in (there, here)]
        agree = is_done and all(_is_there(record, here) for record in all_records(there))
    show_migration(copied=copied, there_already=there_already, sides=found, agree=agree, as_json=as_json)
    if not agree or any(side.counts for side in found):
        raise typer.Exit(EXIT_PROBLEM)


def change_model(
    drop_old: Annotated[bool, typer.Option("--drop-old", help="remove the old vectors after the switch")] = False,
    as_json: JsonOption = False,
) -> None:
    """Change to the model of INGEST_NEXT_MODEL_DIR in one step.

    Its vectors are built beside those in use; nothing is parsed again. Searches and ingestion use the old ones until
    the switch. Killed at any point, run it again. Afterwards move the folder from INGEST_NEXT_MODEL_DIR to
    INGEST_MODEL_DIR at any time.
    """
    from ingest_assets.actions.upkeep import change_model
    from ingest_assets.cli.tables.store_tables import show_built, show_model_change
    from ingest_assets.config.settings import load_settings

    done = change_model(load_settings(), drop_old=drop_old, show=lambda built: None if as_json else show_built(built))
    show_model_change(files=done.files, chunks=done.chunks, model=done.model, as_json=as_json)


def _open() -> Project:
    from ingest_assets.config.settings import load_settings
    from ingest_assets.project import Project

    return Project(load_settings())


def _busy(project: Project) -> set[str]:
    """Return the files that runs are working on."""
    import dagster as dg

    from ingest_assets.config.home import prepare_home
    from ingest_assets.defs.queue.busy_files import files_in_runs

    with dg.DagsterInstance.from_config(str(prepare_home(project.settings))) as instance:
        return files_in_runs(instance)


def _store_at(address: str) -> VectorStore:
    """Open the space in use of a store."""
    from ingest_assets.config.settings import load_settings
    from ingest_assets.wiring import open_store_at, settings_of_space

    settings, (kind, _, location) = load_settings(), address.partition(":")
    store = open_store_at(settings, kind, location)
    if not (space := store.current_space()):
        return store
    store.close()
    return open_store_at(settings_of_space(settings, space), kind, location, space=space)


def _copied_until_done(there: VectorStore, here: VectorStore) -> tuple[int, int, bool]:
    """Copy until a pass finds nothing to copy; count what was copied and was there, and tell whether it came so far."""
    from ingest_assets.stages.upkeep.migrate import migrate

    copied, there_already = 0, 0
    for turn in range(_PASSES):
        counts = Counter(moved.copied for moved in migrate(there, here))
        copied += counts[True]
        if turn == 0:
            there_already = counts[False]
        if not counts[True]:
            return copied, there_already, True
    return copied, there_already, False


def _is_there(record: FileRecord, store: LedgerReading) -> bool:
    there = store.file(record.file_id)
    return there is not None and (there.version, there.chunks) == (record.version, record.chunks)


@contextmanager
def _stream_of(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror})") from error
    with stream:
        yield stream


COMMANDS = (validate, repair, optimize, put_chunks, migrate, change_model)

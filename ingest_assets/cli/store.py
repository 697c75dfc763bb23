"""The command line's doors to the store: validate, repair, optimize, put-chunks, migrate."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ingest_assets.cli import store_tables as tables
from ingest_assets.cli.options import AsJson, Project, User, scope_of
from ingest_assets.config.home import prepare_home
from ingest_assets.config.settings import load_settings
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.stages.client_chunks import client_chunks
from ingest_assets.stages.migrate import migrate as copy
from ingest_assets.stages.optimize import Duplicates
from ingest_assets.stages.prechunk import Status, add_chunks
from ingest_assets.stages.validate import validate as examine
from ingest_assets.stores.contract import all_records
from ingest_assets.wiring import open_store_at, settings_of_space, store_owner

if TYPE_CHECKING:
    from ingest_assets.defs.resources import Workshop
    from ingest_assets.stages.embed import Embedder
    from ingest_assets.stores.contract import LedgerReading, StoreEditing, VectorStore

EXIT_PROBLEM = 1
_PASSES = 10
"""Over a source that is written to meanwhile."""


def validate(as_json: AsJson = False) -> None:
    """Compare ledger, kept chunks and store, and name everything that disagrees; change nothing.

    Exit codes: 0 all agrees; 1 something does not; else as everywhere.
    """
    from ingest_assets.upkeep import validate_store

    workshop = _workshop(prepares=False)
    report = tables.Report.of(validate_store(workshop, busy=_busy(workshop)))
    tables.show_report(report, as_json=as_json)
    if report.counts:
        raise typer.Exit(EXIT_PROBLEM)


def repair(
    apply: Annotated[bool, typer.Option("--apply", help="mend; without it, only say what would be done")] = False,
    as_json: AsJson = False,
) -> None:
    """Mend what `validate` finds, embedding only what is missing. A dry run unless `--apply` is given.

    Exit codes: 0 nothing is left to mend; 1 something is; else as everywhere.
    """
    from ingest_assets.upkeep import repair_store

    workshop = _workshop()
    done = list(repair_store(workshop, apply=apply, busy=_busy(workshop)))
    tables.show_repairs(done, applied=apply, as_json=as_json)
    if done and not (apply and all(each.is_whole for each in done)):
        raise typer.Exit(EXIT_PROBLEM)


def optimize(
    duplicates: Annotated[
        Duplicates, typer.Option(help="which chunks of equal text go: none, later ones of a file, or of a project")
    ] = Duplicates.FILE,
    as_json: AsJson = False,
) -> None:
    """Remove duplicates, complete metadata, set the flags rag_strict and source_only, and compact the store.

    Exit codes: 0 done; 1 some files need `ingest repair` first and were left alone; else as everywhere.
    """
    from ingest_assets.upkeep import optimize_store

    workshop = _workshop()
    report = tables.Tidiness()
    for optimized in optimize_store(workshop, duplicates=duplicates, busy=_busy(workshop)):
        report.add(optimized)
    report.compacted = workshop.store.compact()
    tables.show_tidiness(report, as_json=as_json)
    if report.need_repair:
        raise typer.Exit(EXIT_PROBLEM)


def put_chunks(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, or - for standard input")],
    user: User,
    project: Project,
    as_json: AsJson = False,
) -> None:
    """Put chunks that were cut elsewhere into the store: one JSON object a line, with doc_id, chunk_id and text.

    Each line is answered inserted, identical, conflict or rejected; `--json` prints the answers, a line each, as they
    come. Exit codes: 0 all are in the store; 1 some were rejected or are in conflict; else as everywhere.
    """
    workshop, counts = _workshop(), Counter[Status]()

    def opened() -> tuple[StoreEditing, Embedder]:
        workshop.follow_model_change()
        return workshop.store, workshop.embedder

    with _opened(file) as stream:
        answers = add_chunks(client_chunks(stream), scope=scope_of(user, project), opened=opened, now=_now)
        for answer in answers:
            counts[answer.status] += 1
            tables.show_answer(answer, as_json=as_json)
    if not as_json:
        typer.echo(", ".join(f"{counts[status]} {status.value}" for status in Status))
    if counts[Status.CONFLICT] or counts[Status.REJECTED]:
        raise typer.Exit(EXIT_PROBLEM)


def migrate(
    source: Annotated[str, typer.Option("--from", help="KIND:WHERE, such as chroma:FOLDER, or just KIND")],
    target: Annotated[str, typer.Option("--to", help="KIND:WHERE, such as pgvector:postgresql://HOST/DATABASE")],
    as_json: AsJson = False,
) -> None:
    """Copy everything from one store to another, vectors as they are, then validate both; run again, it goes on.

    Exit codes: 0 both sides agree; 1 they do not, or one of them has something to repair; else as everywhere.
    """
    if source == target:
        raise ConfigError("--from and --to are the same store")
    with closing(_place(source)) as there, closing(_place(target)) as here:
        there.prepare()
        here.prepare(store_owner(load_settings()))
        counts = Counter[bool]()
        for turn in range(_PASSES):
            copied = Counter(moved.copied for moved in copy(there, here))
            counts[True] += copied[True]
            if turn == 0:
                counts[False] = copied[False]
            if not copied[True]:
                break
        found = [tables.Report.of(examine(store, kept=lambda record: None)) for store in (there, here)]
        agree = not copied[True] and all(_is_there(record, here) for record in all_records(there))
    tables.show_migration(copied=counts[True], there_already=counts[False], sides=found, agree=agree, as_json=as_json)
    if not agree or any(side.counts for side in found):
        raise typer.Exit(EXIT_PROBLEM)


def change_model(
    drop_old: Annotated[bool, typer.Option("--drop-old", help="remove the old vectors after the switch")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the vectors of INGEST_NEXT_MODEL_DIR beside those in use, then switch in one step; nothing is parsed again.

    Searches and ingestion use the old ones until the switch. Killed at any point, run it again. Afterwards move the
    folder from INGEST_NEXT_MODEL_DIR to INGEST_MODEL_DIR whenever it suits.
    """
    from ingest_assets import upkeep

    settings = load_settings()
    done = upkeep.change_model(
        settings, drop_old=drop_old, show=lambda built: None if as_json else tables.show_built(built)
    )
    tables.show_model_change(files=done.files, chunks=done.chunks, model=done.model, as_json=as_json)


def _workshop(*, prepares: bool = True) -> Workshop:
    from ingest_assets.defs.resources import Workshop

    return Workshop(load_settings(), prepares=prepares)


def _busy(workshop: Workshop) -> set[str]:
    """The files that runs are about."""
    import dagster as dg

    from ingest_assets.defs.busy_files import files_in_runs

    with dg.DagsterInstance.from_config(str(prepare_home(workshop.settings))) as instance:
        return files_in_runs(instance)


def _place(address: str) -> VectorStore:
    """Open the space in use of a store."""
    settings, (kind, _, location) = load_settings(), address.partition(":")
    store = open_store_at(settings, kind, location)
    if not (space := store.current_space()):
        return store
    store.close()
    return open_store_at(settings_of_space(settings, space), kind, location, space=space)


def _is_there(record: FileRecord, store: LedgerReading) -> bool:
    there = store.file(record.file_id)
    return there is not None and (there.version, there.chunks) == (record.version, record.chunks)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
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

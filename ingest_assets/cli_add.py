"""Files of this machine in, processed files out: into the bucket, then one run each, with live progress."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from ingest_assets.cli_tables import Outcome
from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import file_id_of
from ingest_assets.home import prepare_home
from ingest_assets.records import FileRecord, Scope, State
from ingest_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from ingest_assets.defs.resources import Workshop


def add(paths: list[Path], *, scope: Scope, settings: Settings, quiet: bool) -> list[Outcome]:
    """Put each file into the bucket and run it, unless nothing about it changed.

    Raises:
        BadInput: a path or owner cannot be a file key.
        ConfigError: the home cannot be used.
    """
    import dagster as dg

    from ingest_assets.defs.resources import Workshop

    wanted = [(path, f"{scope.user_id}/{scope.project_id}/{name}") for path, name in _files(paths)]
    for _, key in wanted:
        file_id_of(key)
    workshop = Workshop(settings)
    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance, _live(quiet) as bar:
        return [_add_one(workshop, instance, path, key, bar) for path, key in wanted]


def _add_one(workshop: Workshop, instance: dg.DagsterInstance, path: Path, key: str, bar: Bar) -> Outcome:
    from ingest_assets.local_runs import Progress, run_file

    file_id = file_id_of(key)
    task = bar.add_task(key, total=1, step="comparing")
    kept = workshop.store.file(file_id)
    if kept is not None and _is_unchanged(workshop, kept, path):
        bar.update(task, step="unchanged", completed=1)
        return Outcome(kept, unchanged=True)
    workshop.bucket.put(key, path)

    def show(progress: Progress) -> None:
        bar.update(task, step=f"{progress.step} {progress.status}")
        bar.refresh()

    run = run_file(instance, file_id, on_progress=show)
    record = workshop.store.file(file_id)
    arrived = workshop.bucket.stat(key)
    if record is None or arrived is None or record.version != arrived.version:
        reason = f"{key}: its run {run.run_id[:8] if run else ''} ended before it could say why; add it again"
        workshop.ends.note(file_id, OutsideError(reason))
        record = workshop.store.file(file_id)
    assert record is not None, "a noted file has a record"
    bar.update(task, step=record.state.value, completed=1)
    return Outcome(record)


def _is_unchanged(workshop: Workshop, kept: FileRecord, path: Path) -> bool:
    """Tell whether the bucket and the store hold these bytes already, made by today's code, settings and models."""
    arrived = workshop.bucket.stat(kept.key)
    return (
        kept.state in {State.SUCCEEDED, State.EMPTY}
        and arrived is not None
        and arrived.version == kept.version
        and path.stat().st_size == kept.size_bytes
        and kept.fingerprint == workshop.current_fingerprint(kept)
        and _sha256(path) == kept.sha256
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each file with its name in the project: a folder's files keep their path below it."""
    for path in paths:
        if path.is_dir():
            below = sorted(item for item in path.rglob("*") if item.is_file() and not _is_hidden(item, path))
            yield from ((item, item.relative_to(path).as_posix()) for item in below)
        else:
            yield path, path.name


def _is_hidden(path: Path, root: Path) -> bool:
    return any(name.startswith(".") for name in path.relative_to(root).parts)


@contextmanager
def _live(quiet: bool) -> Iterator[Bar]:
    """Show a line per file. No refresh thread: the process that runs are forked from must not copy one."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[step]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), auto_refresh=False, disable=quiet, transient=False) as bar:
        yield bar

"""Put files of this machine into the bucket and run each to its end, with live progress.

Dagster is loaded when the first file has to be run: if all files are unchanged, only the ledger is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from ingest_assets.buckets.contract import is_passed_over
from ingest_assets.buckets.versions import has_bytes
from ingest_assets.cli.tables.file_tables import ProcessedFile
from ingest_assets.cli.tables.output import printable, told_if_slow
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.file_ids import file_id_of, key_for, nfc
from ingest_assets.ledger_records import FileRecord, Scope, State
from ingest_assets.local_files import sha256_of
from ingest_assets.project import Project
from ingest_assets.stages.client_metadata import metadata_text
from ingest_assets.uploads.form import read_metadata

if TYPE_CHECKING:
    import dagster as dg

_NAMED = 5
"""How many skipped files are named; the others are counted."""


def add_files(
    paths: list[Path], *, scope: Scope, settings: Settings, quiet: bool, callback: str = "", metadata: str = ""
) -> list[ProcessedFile]:
    """Put each file into the bucket and run it, unless nothing about it changed.

    `callback` is a URL that is told what becomes of the files, also of those that did not change. `metadata` is a JSON
    object that the chunks of the files carry; empty: what was said of them before stays.

    Raises:
        BadInput: two files would have one name in the project, a folder holds no file, or the metadata cannot be kept.
        ConfigError: the home or the callback cannot be used.
    """
    target = _target_of(callback, settings)
    metadata_json = metadata_text(read_metadata(metadata)) if metadata else None
    wanted = [(path, nfc(name)) for path, name in files_of(paths)]
    _refuse_doubles(wanted)
    with ExitStack() as stack:
        project = Project(settings)
        with told_if_slow("opening the store"):
            is_empty = not project.store.files(limit=1)
        if is_empty:
            project.mark_bucket()  # if the ledger has files, a missing bucket is not made: it has to be mounted
        adding = _Adding(project, scope, bar=stack.enter_context(_live(quiet)), stack=stack)
        if target:
            _call_back(project, target, [key_for(scope.user_id, scope.project_id, name) for _, name in wanted])
        added = [adding.add(path, name, metadata=metadata_json) for path, name in wanted]
        if target:
            _tell_unchanged(project, target, [each.record for each in added if each.unchanged])
        return added


def _target_of(callback: str, settings: Settings) -> str:
    if not callback:
        return ""
    from ingest_assets.messaging.webhooks import callback_target

    try:
        return callback_target(callback, settings=settings)
    except BadInput as error:
        raise ConfigError(f"--{error}") from error


def _call_back(project: Project, target: str, keys: list[str]) -> None:
    """Have the target told of the files from now on."""
    with project.database.begin() as connection:
        for key in keys:
            project.outbox.add_callback(connection, file_id_of(key), target=target)


def _tell_unchanged(project: Project, target: str, records: list[FileRecord]) -> None:
    """Tell the target of files that nothing will be told of, because nothing about them changes."""
    from ingest_assets.messaging.progress import STATE_EVENT, change_of, message_of

    with project.database.begin() as connection:
        for record in records:
            message = message_of(change_of(record), event=STATE_EVENT)
            project.outbox.put(connection, message, targets=[target])


class _Adding:
    """One call of `ingest add`."""

    def __init__(self, project: Project, scope: Scope, *, bar: Progress, stack: ExitStack) -> None:
        self._project = project
        self._scope = scope
        self._bar = bar
        self._stack = stack
        self._runs: tuple[Project, dg.DagsterInstance] | None = None

    def add(self, path: Path, name: str, *, metadata: str | None) -> ProcessedFile:
        """Put one file into the bucket and run it, or say that nothing about it changed."""
        task = self._bar.add_task(printable(name), total=1, step="comparing")
        try:
            key = key_for(self._scope.user_id, self._scope.project_id, name)
            kept = self._project.store.file(file_id_of(key))
            says_more = metadata is not None and (kept is None or kept.metadata != metadata)
            if kept is not None and not says_more and _is_unchanged(self._project, kept, path):
                processed = ProcessedFile(kept, unchanged=True)
            else:
                if metadata is not None:
                    self._project.file_details.note([file_id_of(key)], metadata)
                if not _is_in_bucket(self._project, key, path):
                    self._project.bucket.put(key, path)
                processed = ProcessedFile(self._run(key, task))
        except (BadInput, OSError) as error:
            # A path that cannot be added is one row of the answer; the other paths are added.
            processed = ProcessedFile(_refused(self._scope, name, error))
        step = "unchanged" if processed.unchanged else processed.record.state.value
        self._bar.update(task, step=step, completed=1)
        self._bar.refresh()
        return processed

    def _run(self, key: str, task: TaskID) -> FileRecord:
        if self._runs is None:
            self._runs = self._open_runs()
        project, instance = self._runs
        _show(self._bar, task, "waiting for its turn on this host")
        return run_to_its_end(project, instance, key, show=lambda step: _show(self._bar, task, step))

    def _open_runs(self) -> tuple[Project, dg.DagsterInstance]:
        from ingest_assets.cli.files.local_runs import open_instance

        return self._project, self._stack.enter_context(open_instance(self._project.settings))


def run_to_its_end(
    project: Project, instance: dg.DagsterInstance, key: str, *, show: Callable[[str], None]
) -> FileRecord:
    """Run a file's job to its end and return what the ledger then says of this version.

    Raises:
        BadInput: it was deleted meanwhile.
        OutsideError: no run could be started.
    """
    from ingest_assets.cli.files.local_runs import run_file

    file_id = file_id_of(key)
    run = run_file(instance, project, file_id, on_progress=lambda progress: show(f"{progress.step} {progress.status}"))
    record, arrived = project.store.file(file_id), project.bucket.stat(key)
    if arrived is not None and (record is None or record.version != arrived.version):
        reason = f"its run {run.run_id[:8]} ended before it could say why; add it again"
        from ingest_assets.defs.assets.recording.failures import FailureRecorder

        FailureRecorder(project, instance).note(file_id, OutsideError(reason), version=arrived.version)
        record = project.store.file(file_id)
    if record is None:
        raise BadInput(f"{key}: it was deleted during its run")
    return record


def _show(bar: Progress, task: TaskID, step: str) -> None:
    bar.update(task, step=step)
    bar.refresh()


def _refused(scope: Scope, name: str, error: Exception) -> FileRecord:
    message = str(error) if isinstance(error, BadInput) else f"{name}: cannot be read ({error})"
    return FileRecord(
        file_id="",
        user_id=scope.user_id,
        project_id=scope.project_id,
        filename=name,
        key=f"{scope.user_id}/{scope.project_id}/{name}",
        state=State.FAILED,
        error=message,
    )


def _refuse_doubles(wanted: list[tuple[Path, str]]) -> None:
    taken: dict[str, Path] = {}
    for path, name in wanted:
        if name in taken:
            raise BadInput(f"{taken[name]} and {path} would both be {name} in the project; add them apart")
        taken[name] = path


def _is_unchanged(project: Project, kept: FileRecord, path: Path) -> bool:
    """Tell whether the bucket and the store hold these bytes already, made by the current code, settings and models."""
    arrived = project.bucket.stat(kept.key)
    return (
        kept.state in {State.SUCCEEDED, State.EMPTY}
        and arrived is not None
        and arrived.version == kept.version
        and path.stat().st_size == kept.size_bytes
        and kept.fingerprint == project.current_fingerprint(kept)
        and sha256_of(path) == kept.sha256
    )


def _is_in_bucket(project: Project, key: str, path: Path) -> bool:
    """Tell whether the bucket has these bytes already: to put them again would end a run that is reading them."""
    found = project.bucket.stat(key)
    return found is not None and has_bytes(
        project.bucket, found, size_bytes=path.stat().st_size, sha256=lambda: sha256_of(path)
    )


def files_of(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each file with its name in the project: a folder's files keep their path below it.

    Raises:
        BadInput: a path is neither a file nor a folder, or a folder holds no document.
    """
    for path in paths:
        if path.is_dir():
            below = sorted(_below(path))
            passed_over = [name for name, file in below if _is_passed_over(name, file)]
            if len(passed_over) == len(below):
                raise BadInput(f"{path}: there is no file to add in this folder{_listed(passed_over)}")
            if passed_over:
                typer.echo(f"{path}{_listed(passed_over)}", err=True)
            yield from ((file, name) for name, file in below if name not in passed_over)
        elif path.is_file():
            yield path, path.name
        else:
            raise BadInput(f"{path} is neither a file nor a folder; give regular files")


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the path below the folder, and the whole path, of each file in it."""

    def refuse(error: OSError) -> NoReturn:
        raise BadInput(f"{error.filename}: this folder may not be read ({error.strerror}); give yourself the right to")

    for root, _, names in os.walk(folder, onerror=refuse):
        files = (Path(root, name) for name in names)
        yield from ((file.relative_to(folder).as_posix(), file) for file in files if file.is_file())


def _is_passed_over(name: str, file: Path) -> bool:
    """Skip what the bucket skips, and empty files: the files of a folder were not chosen one by one."""
    return any(is_passed_over(segment) for segment in name.split("/")) or file.stat().st_size == 0


def _listed(passed_over: list[str]) -> str:
    more = f" and {len(passed_over) - _NAMED} more" if len(passed_over) > _NAMED else ""
    names = ", ".join(map(printable, passed_over[:_NAMED]))
    return f": passed over as hidden, locked, unfinished, empty or the system's own: {names}{more}" if names else ""


@contextmanager
def _live(quiet: bool) -> Iterator[Progress]:
    """Show a line per file. No refresh thread: the process that runs are forked from must not copy one."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[step]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, disable=quiet, transient=False) as bar:
        yield bar

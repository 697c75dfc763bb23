"""Process what is pending in the bucket, on hosts without a daemon: in a cron line or a container's job.

It asks what is needed in the same place as the sensor `upload_bucket` does, and runs files as `ingest add` does, one
per forked process under the cap. After a kill at any point, what is not in the ledger yet is pending for the next call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest_assets.cli.files.add import run_to_its_end
from ingest_assets.cli.tables.file_tables import ProcessedFile
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import key_of

if TYPE_CHECKING:
    import dagster as dg

    from ingest_assets.defs.noticing.wanted_runs import Wanted
    from ingest_assets.index.pending_files import PendingFile
    from ingest_assets.project import Project

_LOOK_EVERY_S = 1.0
_AT_ONCE = 100


@dataclass(slots=True)
class WorkDone:
    """What one call did."""

    processed: list[ProcessedFile] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    """Keys of files that had left the bucket; nothing of them is kept."""
    left: int = 0
    """Files that are still pending: not begun yet, arriving, in another process's run, or past `max_files`."""
    misplaced: tuple[str, ...] = ()
    """What is wrong with files in the bucket that lie outside of any user's project; they stay where they are."""
    unreadable: tuple[str, ...] = ()
    """What is wrong with the bucket, or with places in it, that cannot be read; nothing was removed because of it."""

    @property
    def all_well(self) -> bool:
        """Tell whether every file has an owner, could be read and ended well."""
        return not (self.misplaced or self.unreadable or any(each.is_problem for each in self.processed))


def work_on(settings: Settings, *, max_files: int | None, until_empty: bool) -> Iterator[WorkDone]:
    """Process what is pending; yield what was done so far after each file, and again at the end.

    Without `until_empty`, look through the bucket once and take what is pending then; with it, go on until nothing is
    pending, arriving or missing.

    Raises:
        ConfigError: the home cannot be used.
        OutsideError: the store or the index database is away, or no run can be started.
    """
    from ingest_assets.cli.files.local_runs import open_instance
    from ingest_assets.project import Project

    project, done = Project(settings), WorkDone()
    with open_instance(settings) as instance:
        while True:
            wanted = _wanted(project, instance, done)
            for file_id in wanted.purge:
                _purge(project, instance, file_id, done)
            begun = len(done.processed)
            for pending in _one_after_the_other(project, instance):
                if max_files is not None and len(done.processed) >= max_files:
                    yield _counted(project, done)
                    return
                _ingest(project, instance, pending, done)
                yield _counted(project, done)
            waits = _counted(project, done).left or project.deletes.next_at() is not None
            if (
                not until_empty
                or not (waits or len(done.processed) > begun)
                or wanted.waiting_deletes
                or done.unreadable
            ):
                yield _counted(project, done)
                return
            if len(done.processed) == begun:
                time.sleep(_LOOK_EVERY_S)


def _wanted(project: Project, instance: dg.DagsterInstance, done: WorkDone) -> Wanted:
    """Look through the whole bucket, and again at what was growing; say what is wrong with it."""
    from ingest_assets.defs.noticing.sensors import problems_of
    from ingest_assets.defs.noticing.wanted_runs import wanted_runs

    wanted = wanted_runs(instance, project, within_s=0, whole=True)
    if wanted.needs_index:
        project.rebuild_index()
        wanted = wanted_runs(instance, project, within_s=0, whole=True)
    if wanted.noticed.problem and not (wanted.noticed.listed or wanted.noticed.is_unknown):
        raise OutsideError(wanted.noticed.problem)
    project.noticing.look_again_at_growing(wanted.noticed)
    done.misplaced = tuple(place.reason for place in wanted.noticed.misplaced)
    wanted.noticed.misplaced.clear()
    done.unreadable = tuple(problems_of(wanted))
    return wanted


def _one_after_the_other(project: Project, instance: dg.DagsterInstance) -> Iterator[PendingFile]:
    """Yield pending files, each asked for anew: another process may have begun it meanwhile."""
    from ingest_assets.defs.queue.busy_files import files_in_runs, files_not_settled

    passed: set[str] = set()
    while True:
        pending = [each for each in project.pending.next(limit=_AT_ONCE + len(passed)) if each.file_id not in passed]
        if not pending:
            return
        for each in pending:
            passed.add(each.file_id)
            named = [each.file_id]
            if files_in_runs(instance, named) or files_not_settled(instance, named):
                continue
            if project.pending.still(named):
                yield each


def _counted(project: Project, done: WorkDone) -> WorkDone:
    done.left = project.pending.count() + len(project.pending.growing(limit=_AT_ONCE))
    return done


def _purge(project: Project, instance: dg.DagsterInstance, file_id: str, done: WorkDone) -> None:
    from ingest_assets.defs.purge import purge

    project.deletes.purged([file_id])
    if purge(file_id, project=project, instance=instance) is not None:
        done.purged.append(key_of(file_id))


def _ingest(project: Project, instance: dg.DagsterInstance, pending: PendingFile, done: WorkDone) -> None:
    try:
        record = run_to_its_end(project, instance, pending.key, show=lambda _: None)
    except BadInput:  # deleted during its run: the next look purges what was kept of it
        return
    done.processed.append(ProcessedFile(record))

"""Process what is pending in the bucket, on hosts without a daemon: in a cron line or a container's job.

It decides as the sensor `upload_bucket` does and runs files as `ingest add` does, one per forked process under the cap.
It keeps no state: after a kill at any point, what is not in the ledger yet is pending for the next call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest_assets.cli.add import run_to_its_end
from ingest_assets.cli.file_tables import ProcessedFile
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput

if TYPE_CHECKING:
    import dagster as dg

    from ingest_assets.project import Project
    from ingest_assets.stages.compare import Arrival, Changes

_LOOK_EVERY_S = 1.0


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

    Without `until_empty`, take what is pending at the beginning; with it, go on until nothing is pending or arriving.

    Raises:
        ConfigError: the home cannot be used.
        OutsideError: the store or the bucket is away, or no run can be started.
    """
    from ingest_assets.cli.local_runs import open_instance
    from ingest_assets.defs.purge import purge
    from ingest_assets.file_ids import key_of
    from ingest_assets.project import Project
    from ingest_assets.stages.compare import UNKNOWN_BUCKET

    project, done = Project(settings), WorkDone()
    with open_instance(settings) as instance:
        while True:
            changes, arrivals, gone = _pending(project, instance)
            done.misplaced, done.unreadable = changes.misplaced, changes.unreadable
            if not changes.is_known_bucket:
                done.unreadable = (UNKNOWN_BUCKET, *done.unreadable)
            for file_id in gone:
                if purge(file_id, project=project, instance=instance) is not None:
                    done.purged.append(key_of(file_id))
            done.left = len(changes.unsettled) + len(changes.arrivals)
            for arrival in arrivals:
                if max_files is not None and len(done.processed) >= max_files:
                    yield done
                    return
                _ingest(project, instance, arrival, done)
                done.left -= 1
                yield done
            if not until_empty or not (done.left or arrivals):
                yield done
                return
            if not arrivals:
                time.sleep(_LOOK_EVERY_S)


def _pending(project: Project, instance: dg.DagsterInstance) -> tuple[Changes, list[Arrival], list[str]]:
    """Compare twice, as the sensor does from tick to tick; leave out files that other processes are working on."""
    from ingest_assets.defs.busy_files import files_in_runs
    from ingest_assets.defs.sensors import compare_bucket, sweep_dead_runs

    sweep_dead_runs(instance)
    busy = files_in_runs(instance)  # first: a run that ends before the ledger is read is then in the ledger
    first = compare_bucket(project, instance, seen={}, missed=[])
    changes = compare_bucket(project, instance, seen=first.unsettled, missed=sorted(first.missing))
    arrivals = [arrival for arrival in changes.arrivals if arrival.file_id not in busy]
    return changes, arrivals, [file_id for file_id in changes.gone if file_id not in busy]


def _ingest(project: Project, instance: dg.DagsterInstance, arrival: Arrival, done: WorkDone) -> None:
    try:
        record = run_to_its_end(project, instance, arrival.key, show=lambda _: None)
    except BadInput:  # deleted during its run: the next comparison purges what was kept of it
        return
    done.processed.append(ProcessedFile(record))

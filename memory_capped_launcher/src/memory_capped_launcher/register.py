"""Keep on disk which supervisor has which run; every process of the instance shares these files.

The folder is `<instance root>/launcher/runs`. A run that has been launched and has not ended has
- `RUN_ID.lock`, locked (`flock`) from its launch to its end. The lock is handed over as an open file, from the launcher
  through the warm process to the supervisor, so at every moment some process holds it. The kernel drops it when its
  last holder dies: a lock that can be taken belongs to a run that was lost. No process ids are compared. After a reboot
  a file therefore tells of a lost run and nothing else, and containers that share the folder agree;
- `RUN_ID.json`, a `RunEntry`: the stage that the run has reached;
- `RUN_ID.claim`, made by the one supervisor that executes the run, in case a launch is asked for twice;
- `RUN_ID.asked`, made by the process that wants to cancel the run, and `RUN_ID.cancel`, made when Dagster knows that it
  is being cancelled and it may be ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from memory_capped_launcher.errors import LauncherConfigError, LauncherUnavailableError

_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,127}")


class RunStage(StrEnum):
    """The stages of a run that has been launched."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDING = "ending"
    """Its processes are gone and its memory is free; its end is being reported to Dagster."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """What the register knows about one run."""

    run_id: str
    ticket: int
    """Its place among runs of its priority: nanoseconds since 1970 at its launch."""
    cap_mb: int
    stage: RunStage = RunStage.WAITING
    pid: int = 0
    """The supervisor's process id, for display only."""
    group: str = ""
    """The run's cgroup, empty if it has none; removed with the processes in it if the supervisor dies."""
    end: dict[str, Any] | None = None
    """The fields of the `RunEnd` that Dagster has not been told yet."""
    priority: int = 0
    """The run's tag `dagster/priority`: of the runs that wait, the one with the highest starts first."""


class Register:
    """The runs that this instance's launcher has launched and that have not ended."""

    def __init__(self, root: Path) -> None:
        self._root = root / "runs"
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, entry: RunEntry) -> int:
        """Enter a run; return its open, locked file, to be kept or handed over.

        Raises:
            LauncherConfigError: the run was launched and has not ended, or its id cannot be a file's name.
            LauncherUnavailableError: the disk refuses the files; the register then holds nothing of the run.
        """
        try:
            descriptor = self._locked(entry.run_id)
        except OSError as error:
            raise self._disk_error(entry, error) from error
        if descriptor is None:
            raise LauncherConfigError(
                f"run {entry.run_id} was launched already and has not ended; wait for it or cancel it"
            )
        for kind in ("claim", "cancel", "asked"):
            self._path(entry.run_id, kind).unlink(missing_ok=True)
        try:
            self.write(entry)
        except OSError as error:
            self.close(entry.run_id, descriptor)
            raise self._disk_error(entry, error) from error
        return descriptor

    def _locked(self, run_id: str) -> int | None:
        """Make and lock a run's lock file; None if another process holds it.

        The file is locked before it gets its name, because others take a file that is there and free for a lost run.
        """
        path, new = self._path(run_id, "lock"), self._path(run_id, f"{os.getpid()}.opening")
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor)
            os.link(new, path)
        except FileExistsError:
            os.close(descriptor)
            return self.adopt(run_id)
        except OSError:
            os.close(descriptor)
            raise
        finally:
            new.unlink(missing_ok=True)
        return descriptor

    def adopt(self, run_id: str) -> int | None:
        """Lock a run whose holder died; None if the holder lives or the run is not in the register."""
        try:
            descriptor = os.open(self._path(run_id, "lock"), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
        return None

    def close(self, run_id: str, descriptor: int) -> None:
        """Remove a run from the register; only the holder of its lock may."""
        for kind in ("cancel", "asked", "claim", "json", "lock"):
            self._path(run_id, kind).unlink(missing_ok=True)
        os.close(descriptor)

    def claim(self, run_id: str) -> bool:
        """Become the one supervisor that executes the run; False if another one has it."""
        try:
            os.close(os.open(self._path(run_id, "claim"), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return False
        return True

    def knows(self, run_id: str) -> bool:
        """Return whether the run is in the register, also if its holder died."""
        return self._path(run_id, "lock").exists()

    def announce_cancel(self, run_id: str) -> bool:
        """Note that the run is going to be cancelled; False if it is not in the register."""
        return self._mark(run_id, "asked")

    def cancel_announced(self, run_id: str) -> bool:
        """Return whether a process has announced that it will cancel the run."""
        return self._path(run_id, "asked").exists()

    def cancel(self, run_id: str) -> bool:
        """Tell the run's supervisor to end it now; False if it is not in the register."""
        return self._mark(run_id, "cancel")

    def cancelled(self, run_id: str) -> bool:
        """Return whether the run must be ended now."""
        return self._path(run_id, "cancel").exists()

    def write(self, entry: RunEntry) -> None:
        """Replace a run's entry; readers see the old entry or the new one.

        Raises:
            OSError: the disk refuses it; the old entry stands.
        """
        path = self._path(entry.run_id, "json")
        new = path.with_suffix(".new")
        try:
            new.write_text(json.dumps(asdict(entry)))
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def read(self, run_id: str) -> RunEntry | None:
        """Return a run's entry; None if there is none that can be read."""
        try:
            fields = json.loads(self._path(run_id, "json").read_text())
            return RunEntry(**fields | {"stage": RunStage(fields["stage"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def run_ids(self) -> list[str]:
        """Return the ids of all runs in the register, including those whose holder died."""
        return sorted(path.stem for path in self._root.glob("*.lock"))

    def living(self) -> list[RunEntry]:
        """Return the entries of the runs whose holder lives, in the order in which those that wait are to start."""
        entries = []
        for run_id in self.run_ids():
            descriptor = self.adopt(run_id)
            if descriptor is not None:
                os.close(descriptor)
            elif entry := self.read(run_id):
                entries.append(entry)
        return sorted(entries, key=lambda entry: (-entry.priority, entry.ticket, entry.run_id))

    def orphaned(self) -> list[str]:
        """Return the ids of the runs whose holder died and whose end has not been reported."""
        found = []
        for run_id in self.run_ids():
            descriptor = self.adopt(run_id)
            if descriptor is not None:
                os.close(descriptor)
                found.append(run_id)
        return found

    def _mark(self, run_id: str, kind: str) -> bool:
        if not self.knows(run_id):
            return False
        self._path(run_id, kind).touch(mode=0o600)
        if self.knows(run_id):
            return True
        self._path(run_id, kind).unlink(missing_ok=True)  # it ended between the two looks
        return False

    def _disk_error(self, entry: RunEntry, error: OSError) -> LauncherUnavailableError:
        return LauncherUnavailableError(
            f"run {entry.run_id} cannot be noted in {self._root}: {error.strerror}; make room there and launch it again"
        )

    def _path(self, run_id: str, kind: str) -> Path:
        if not _SAFE_ID.fullmatch(run_id):
            raise LauncherConfigError(f"run id {run_id!r} cannot be a file's name; use letters, digits and '-' only")
        return self._root / f"{run_id}.{kind}"


def may_start(run_id: str, entries: list[RunEntry], *, budget_mb: int, max_parallel: int) -> bool:
    """Return whether this run is the first that waits and its cap fits beside those of the running runs."""
    running = [entry for entry in entries if entry.stage is RunStage.RUNNING]
    waiting = [entry for entry in entries if entry.stage is RunStage.WAITING]
    if not waiting or waiting[0].run_id != run_id or len(running) >= max_parallel:
        return False
    return waiting[0].cap_mb + sum(entry.cap_mb for entry in running) <= budget_mb


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

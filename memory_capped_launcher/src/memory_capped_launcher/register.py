"""A run's id in, who is in charge of it out: the launcher's memory, on disk, shared by every process of the instance.

Below `<instance root>/launcher/runs`, a run that is in somebody's charge has
- `RUN_ID.lock`, locked (`flock`) from the moment of its launch to its end. The lock is handed over as an open file,
  from the launcher through the warm process to the supervisor, so there is no moment at which nobody holds it. The
  kernel drops it when its last holder dies: a lock that can be taken is a run that was lost. No process ids are
  compared: a file from before a reboot tells of a lost run and no more, and containers that share the folder agree;
- `RUN_ID.json`, an `Entry`: where the run stands;
- `RUN_ID.claim`, made by the one supervisor that executes it, should a launch have been asked for twice;
- `RUN_ID.asked`, made by whoever wants it to end, and `RUN_ID.cancel`, made once Dagster knows and it may be ended.
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

from ingest_assets.errors import ConfigError, OutsideError

_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,127}")


class Stage(StrEnum):
    """Where a run in somebody's charge stands."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDING = "ending"
    """Its processes are gone and its memory is free; its end is being told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the register says of one run."""

    run_id: str
    ticket: int
    """Its place in the queue: nanoseconds since 1970 at its launch."""
    cap_mb: int
    stage: Stage = Stage.WAITING
    pid: int = 0
    """The supervisor; to be read by people, nothing is decided by it."""
    group: str = ""
    """Its cgroup, while it has one: to be removed with what is in it should the supervisor die."""
    verdict: dict[str, Any] | None = None
    """How it ended, while Dagster has not been told yet."""


class Register:
    """The runs in charge of this instance's launcher on this host."""

    def __init__(self, root: Path) -> None:
        self._root = root / "runs"
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, entry: Entry) -> int:
        """Take charge of a run; return the open lock file, to be kept or handed over.

        Raises:
            ConfigError: somebody is in charge already, or the run's id cannot be a file's name.
            OutsideError: the disk does not take it; nothing of the run is in the register then.
        """
        try:
            descriptor = self._locked(entry.run_id)
        except OSError as error:
            raise self._refused(entry, error) from error
        if descriptor is None:
            raise ConfigError(f"run {entry.run_id} was launched already and has not ended; wait for it or cancel it")
        for kind in ("claim", "cancel", "asked"):
            self._path(entry.run_id, kind).unlink(missing_ok=True)
        try:
            self.write(entry)
        except OSError as error:
            self.close(entry.run_id, descriptor)
            raise self._refused(entry, error) from error
        return descriptor

    def _locked(self, run_id: str) -> int | None:
        """Make a run's lock file and take it; None where somebody holds it.

        It gets its name when it is locked: a file that is there and free tells others of a lost run.
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
        """Take charge of a run whose holder died; None where the holder lives or the run is not in the register."""
        try:
            descriptor = os.open(self._path(run_id, "lock"), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if _lock(descriptor) and os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
        return None

    def close(self, run_id: str, descriptor: int) -> None:
        """Strike a run out; the holder of its lock may."""
        for kind in ("cancel", "asked", "claim", "json", "lock"):
            self._path(run_id, kind).unlink(missing_ok=True)
        os.close(descriptor)

    def claim(self, run_id: str) -> bool:
        """Become the one supervisor that executes the run; False for the second."""
        try:
            os.close(os.open(self._path(run_id, "claim"), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return False
        return True

    def knows(self, run_id: str) -> bool:
        """Is or was somebody in charge of the run, and has nobody struck it out?"""
        return self._path(run_id, "lock").exists()

    def announce_cancel(self, run_id: str) -> bool:
        """Say that the run is going to be cancelled; False where nobody is in charge of it."""
        return self._mark(run_id, "asked")

    def cancel_announced(self, run_id: str) -> bool:
        """Is the run going to be cancelled?"""
        return self._path(run_id, "asked").exists()

    def cancel(self, run_id: str) -> bool:
        """Have whoever is in charge end the run now; False where nobody is."""
        return self._mark(run_id, "cancel")

    def cancelled(self, run_id: str) -> bool:
        """Must the run be ended?"""
        return self._path(run_id, "cancel").exists()

    def write(self, entry: Entry) -> None:
        """Say where a run stands; readers see the old entry or the new one.

        Raises:
            OSError: the disk does not take it; the old entry stands.
        """
        path = self._path(entry.run_id, "json")
        new = path.with_suffix(".new")
        try:
            new.write_text(json.dumps(asdict(entry)))
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def read(self, run_id: str) -> Entry | None:
        """Return what the register says of a run."""
        try:
            fields = json.loads(self._path(run_id, "json").read_text())
            return Entry(**fields | {"stage": Stage(fields["stage"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def run_ids(self) -> list[str]:
        """Return the runs in the register, also those whose holder died."""
        return sorted(path.stem for path in self._root.glob("*.lock"))

    def living(self) -> list[Entry]:
        """Return the runs whose holder lives, in the order of their launch."""
        entries = []
        for run_id in self.run_ids():
            descriptor = self.adopt(run_id)
            if descriptor is not None:
                os.close(descriptor)
            elif entry := self.read(run_id):
                entries.append(entry)
        return sorted(entries, key=lambda entry: (entry.ticket, entry.run_id))

    def orphaned(self) -> list[str]:
        """Return the runs whose holder died and whose end nobody has told yet."""
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
        self._path(run_id, kind).unlink(missing_ok=True)  # it ended at this very moment
        return False

    def _refused(self, entry: Entry, error: OSError) -> OutsideError:
        return OutsideError(
            f"run {entry.run_id} cannot be noted in {self._root}: {error.strerror}; make room there and launch it again"
        )

    def _path(self, run_id: str, kind: str) -> Path:
        if not _SAFE_ID.fullmatch(run_id):
            raise ConfigError(f"run id {run_id!r} cannot be a file's name; use letters, digits and '-' only")
        return self._root / f"{run_id}.{kind}"


def may_start(run_id: str, entries: list[Entry], *, budget_mb: int, max_parallel: int) -> bool:
    """Is it this run's turn: the first of those that wait, and its cap fits beside the running ones?"""
    running = [entry for entry in entries if entry.stage is Stage.RUNNING]
    waiting = [entry for entry in entries if entry.stage is Stage.WAITING]
    if not waiting or waiting[0].run_id != run_id or len(running) >= max_parallel:
        return False
    return waiting[0].cap_mb + sum(entry.cap_mb for entry in running) <= budget_mb


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

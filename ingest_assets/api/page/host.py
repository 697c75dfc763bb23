"""Show the host to people: memory, the cap of runs, the queue, and what is wrong with what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fastapi import APIRouter
from sqlalchemy import ColumnElement, and_, or_, select, true

from ingest_assets.access.callers import EVERYTHING, Caller, KeyScope
from ingest_assets.api.callers import ReaderDep, ServiceDep
from ingest_assets.api.operation.health import Readiness, components_of
from ingest_assets.api.problems import documented
from ingest_assets.api.service import Service
from ingest_assets.file_ids import owner_of
from ingest_assets.index.file_table import c
from ingest_assets.ledger_records import State
from memory_capped_launcher.errors import LauncherConfigError
from memory_capped_launcher.host.host_memory import read_host_memory
from memory_capped_launcher.limits import LauncherConfig, limits_for

router = APIRouter(tags=["operation"], responses=documented())
_MOST_PROBLEMS = 200
_LEAST_FREE_MB = 1024
_STATES = [state.value for state in State if state.is_failure or state is State.PARTIAL]
_ADVICE = {
    State.PARTIAL: "open it to see which pages are missing and why; upload a version that can be read",
    State.FAILED: "do what the message says, or run it again if a service was away",
    State.OUT_OF_MEMORY: "nothing: it is tried again with smaller windows",
    State.QUARANTINED: "give runs more memory (memory_limit_mb), or upload the file in smaller pieces",
    State.CANCELLED: "run it again if it was cancelled by mistake",
}


@dataclass(frozen=True, slots=True)
class PlaceInTrouble:
    """Something that is wrong, and what to do about it."""

    what: str
    todo: str
    user_id: str = ""
    project_id: str = ""
    filename: str = ""
    """The file that is meant; empty where it is the host or a service."""
    state: str = ""


@dataclass(frozen=True, slots=True)
class HostState:
    """The host of the service, and what waits on it."""

    memory_total_mb: int
    memory_available_mb: int
    memory_limited_by: str
    cap_mb: int
    """The memory that a run may take; 0 where runs are not capped, or the launcher's settings cannot be read."""
    max_parallel: int
    """Runs at once on this host."""
    disk_free_mb: int
    queued: int
    """Files that wait for their run."""
    oldest_pending_s: float
    seconds_a_file: float
    """What the files of the last hour took, on average; 0 if there were none."""
    files_by_state: dict[str, int]
    problems: list[PlaceInTrouble]
    """200 at most; of files, those that the caller may see, the latest first."""


@router.get("/host", summary="The host, its queue, and what is wrong")
def host(service: ServiceDep, caller: ReaderDep) -> HostState:
    """Say how much memory there is, how many files wait, and what a person should do."""
    home = service.settings.home
    memory = read_host_memory()
    cap_mb, max_parallel = _cap(home / "dagster.yaml", host_mb=memory.total_mb)
    free_mb = shutil.disk_usage(home).free >> 20
    pending = service.project.pending
    counts = pending.counts()
    wrong = [*_of_host(service, free_mb=free_mb), *_of_files(service, caller)]
    return HostState(
        memory_total_mb=memory.total_mb,
        memory_available_mb=memory.available_mb,
        memory_limited_by=memory.limited_by,
        cap_mb=cap_mb,
        max_parallel=max_parallel,
        disk_free_mb=free_mb,
        queued=pending.count(),
        oldest_pending_s=round(counts.oldest_pending_s, 1),
        seconds_a_file=round(counts.seconds_a_file, 2),
        files_by_state=counts.by_state,
        problems=wrong[:_MOST_PROBLEMS],
    )


def _cap(path: Path, *, host_mb: int) -> tuple[int, int]:
    """Return the cap of a run and how many run at once; 0 and 0 where the file does not say.

    The file is read here and not by Dagster, which the service does not import. A value that comes from the
    environment is not followed.
    """
    try:
        launcher = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("run_launcher") or {}
        if launcher.get("class") != "MemoryCappedRunLauncher":
            return 0, 0
        known: Mapping[str, Any] = {
            name: value
            for name, value in (launcher.get("config") or {}).items()
            if name in LauncherConfig.__dataclass_fields__ and not isinstance(value, dict)
        }
        limits = limits_for({}, config=LauncherConfig(**known), host_mb=host_mb)
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError, LauncherConfigError):
        return 0, 0
    return limits.cap_mb, limits.max_parallel


def _of_host(service: Service, *, free_mb: int) -> Iterator[PlaceInTrouble]:
    for component in components_of(service):
        if component.state is not Readiness.READY:
            what, _, todo = component.detail.partition("; ")
            yield PlaceInTrouble(f"{component.name}: {what}", todo or "see `ingest doctor` and the service's log")
    if free_mb < _LEAST_FREE_MB:
        yield PlaceInTrouble(f"{free_mb} MB of disk space are left", "make room; runs fail when the disk is full")


def _of_files(service: Service, caller: Caller) -> Iterator[PlaceInTrouble]:
    wanted = or_(*map(rows_of, caller.scopes))
    query = select(c.key, c.user_id, c.project_id, c.ledger_state, c.error, c.pages).where(
        c.in_ledger, c.ledger_state.in_(_STATES), wanted
    )
    with service.project.database.begin(writes=False) as connection:
        rows = connection.execute(query.order_by(c.updated_at.desc(), c.file_id).limit(_MOST_PROBLEMS)).all()
    for row in rows:
        state = State(row.ledger_state)
        *_, filename = owner_of(row.key)
        yield PlaceInTrouble(
            what=row.error or "some of its pages could not be read",
            todo=_ADVICE[state],
            user_id=row.user_id,
            project_id=row.project_id,
            filename=filename,
            state=state.value,
        )


def rows_of(scope: KeyScope) -> ColumnElement[bool]:
    """Return what tells the rows of the index that lie in a key's scope."""
    users = true() if scope.user_id == EVERYTHING else c.user_id == scope.user_id
    return users if scope.project_id == EVERYTHING else and_(users, c.project_id == scope.project_id)

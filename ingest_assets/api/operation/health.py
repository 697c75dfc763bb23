"""Say whether the service lives, and whether each part of the system does its work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from fastapi import APIRouter, Response

from ingest_assets.api.callers import ServiceDep
from ingest_assets.api.service import Service
from ingest_assets.errors import IngestError
from ingest_assets.messaging.heartbeat import RUNS_LISTENER, SENSOR, is_beating

router = APIRouter(tags=["operation"])


class Readiness(StrEnum):
    """Whether a part does its work."""

    READY = "ready"
    WAITING = "waiting"
    """It does not work now, and what it has to do waits for it."""
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Liveness:
    """The service lives."""

    status: str = "ok"


@dataclass(frozen=True, slots=True)
class ComponentState:
    """Whether one part does its work, and what is wrong with it if not."""

    name: str
    state: Readiness
    detail: str = ""
    milliseconds: float = 0.0
    """How long the answer of the part took."""


@dataclass(frozen=True, slots=True)
class SystemState:
    """Whether the service can answer, part by part."""

    status: Readiness
    components: list[ComponentState]
    queued: int
    """Files that wait for their run."""
    oldest_pending_s: float
    """How long the oldest of them has waited, in seconds."""


@router.get("/health", summary="Whether the service lives")
def health() -> Liveness:
    """Answer without asking any other part."""
    return Liveness()


@router.get("/ready", summary="Whether each part does its work", responses={503: {"model": SystemState}})
def ready(service: ServiceDep, response: Response) -> SystemState:
    """Ask bucket, store, index and models; 503 if one of them is away. A daemon that rests lets files wait."""
    found = list(components_of(service))
    queued, oldest_s = 0, 0.0
    if all(component.state is not Readiness.AWAY for component in found):
        counts = service.project.pending.counts()
        queued, oldest_s = service.project.pending.count(), counts.oldest_pending_s
    states = {component.state for component in found}
    status = Readiness.AWAY if Readiness.AWAY in states else Readiness.READY
    if status is Readiness.AWAY:
        response.status_code = 503
        response.headers["Retry-After"] = "10"
    return SystemState(status, found, queued, round(oldest_s, 1))


def components_of(service: Service) -> Iterator[ComponentState]:
    """Ask each part whether it does its work."""
    yield _asked("bucket", lambda: service.project.bucket.identity())
    yield _asked("store", lambda: service.project.store.files(limit=1))
    yield _asked("index", lambda: service.project.index.built_for())
    yield _asked("models", lambda: service.project.embedder.model)
    yield _runs(service)


def _asked(name: str, ask: Callable[[], object]) -> ComponentState:
    began = time.monotonic()
    try:
        ask()
    except IngestError as error:
        return ComponentState(name, Readiness.AWAY, str(error), _milliseconds(began))
    return ComponentState(name, Readiness.READY, milliseconds=_milliseconds(began))


def _runs(service: Service) -> ComponentState:
    """Tell whether anything starts the runs of new files: the daemon with its sensor, or `ingest listen`."""
    began = time.monotonic()
    try:
        beats = any(is_beating(service.project.database, name) for name in (SENSOR, RUNS_LISTENER))
    except IngestError as error:
        return ComponentState("runs", Readiness.AWAY, str(error), _milliseconds(began))
    if beats:
        return ComponentState("runs", Readiness.READY, milliseconds=_milliseconds(began))
    detail = "neither Dagster's daemon with its sensor nor `ingest listen` works; files wait until one does"
    return ComponentState("runs", Readiness.WAITING, detail, _milliseconds(began))


def _milliseconds(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)

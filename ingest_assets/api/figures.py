"""Collect the figures of the service for Prometheus: requests as they are answered, all else when it is asked for.

Figures of the index are read at most every few seconds, however many ask. A database that is away costs its figures and
not the whole answer: the figures of requests are then what an operator needs most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from ingest_assets.errors import IngestError
from ingest_assets.index.run_figures import FigureRow, RunFigure
from ingest_assets.messaging.heartbeat import RUNS_LISTENER, SENSOR, is_beating

if TYPE_CHECKING:
    from ingest_assets.project import Project

KEPT_S = 5.0
"""How long figures of the index are shown before they are read again."""
_MB = 1_000_000.0
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""With the limits that searches are promised to keep, 50 and 150 ms."""


class ServiceFigures:
    """The figures of one service."""

    def __init__(self, project: Callable[[], Project]) -> None:
        """Take how the project is opened."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._seconds = Histogram(
            "ingest_http_request_seconds",
            "Seconds from the headers of a request to the end of its answer.",
            ["method", "route"],
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._requests = Counter(
            "ingest_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._open = Gauge(
            "ingest_http_requests_in_progress", "Requests that are being answered.", registry=self._registry
        )
        self._registry.register(_ProjectCollector(project))

    def begin_request(self) -> None:
        """Count a request that is being answered."""
        self._open.inc()

    def end_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; `route` is the template of its path, empty for none."""
        self._open.dec()
        method = method if method in _METHODS else "OTHER"
        self._seconds.labels(method, route).observe(seconds)
        self._requests.labels(method, route, str(status)).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class _ProjectCollector:
    """Reads the figures of the index, and keeps them for some seconds."""

    def __init__(self, project: Callable[[], Project]) -> None:
        self._project = project
        self._reading = Lock()
        self._kept: list[Metric] = []
        self._kept_at = 0.0

    def describe(self) -> list[Metric]:
        """Return nothing: to name the figures beforehand the registry would read them."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        with self._reading:
            if not self._kept or time.monotonic() - self._kept_at > KEPT_S:
                self._kept = list(self._read())
                self._kept_at = time.monotonic()
            yield from self._kept

    def _read(self) -> Iterator[Metric]:
        found: list[Metric] = []
        try:
            project = self._project()
            found += _of_files(project)
            found += _of_runs(project.run_figures.rows())
        except IngestError:
            found = []
        yield GaugeMetricFamily(
            "ingest_index_up", "Whether the index database answered; without it most figures are missing.", bool(found)
        )
        yield from found


def _of_files(project: Project) -> Iterator[Metric]:
    counts = project.pending.counts()
    yield GaugeMetricFamily("ingest_queue_depth", "Files that wait for their run.", project.pending.count())
    yield GaugeMetricFamily(
        "ingest_oldest_pending_seconds", "How long the oldest of them has waited.", counts.oldest_pending_s
    )
    yield _labelled("ingest_files", "Files by state.", "state", counts.by_state)
    yield GaugeMetricFamily("ingest_files_missing", "Files that the last look did not find.", counts.missing)
    held = project.index.held()
    yield GaugeMetricFamily("ingest_store_files", "Files in the ledger of the store.", held.files)
    yield GaugeMetricFamily("ingest_store_chunks", "Chunks in force of files.", held.chunks)
    connections = project.store.connections()
    yield _labelled(
        "ingest_store_connections",
        "Connections of the service to the store's server, and calls that wait for one.",
        "state",
        asdict(connections) if connections else {},
    )
    yield GaugeMetricFamily("ingest_bucket_bytes", "Size of the files in the bucket.", held.size_bytes)
    yield GaugeMetricFamily(
        "ingest_inbox_keys", "Keys that somebody named and no look has taken.", project.inbox.depth()
    )
    beats = any(is_beating(project.database, name) for name in (SENSOR, RUNS_LISTENER))
    yield GaugeMetricFamily(
        "ingest_runs_are_started", "Whether the daemon's sensor or `ingest listen` starts the runs of new files.", beats
    )


def _of_runs(rows: list[FigureRow]) -> Iterator[Metric]:
    runs = CounterMetricFamily("ingest_runs", "Runs of files that ended, by how.", labels=("outcome", "media_type"))
    seconds = SummaryMetricFamily("ingest_stage_seconds", "Seconds of a stage.", labels=("stage", "media_type"))
    memory = SummaryMetricFamily(
        "ingest_stage_peak_memory_bytes", "Peak memory of a stage.", labels=("stage", "media_type")
    )
    highest = GaugeMetricFamily(
        "ingest_stage_highest_memory_bytes",
        "The highest peak memory that a stage ever had.",
        labels=("stage", "media_type"),
    )
    pages = CounterMetricFamily("ingest_pages", "Pages that were published.", labels=("read_by", "media_type"))
    chunks = CounterMetricFamily("ingest_chunks", "Chunks that were published.", labels=("vector", "media_type"))
    by_ocr = {row.media_type: row.total for row in rows if row.figure is RunFigure.PAGES and row.label == "ocr"}
    for row in rows:
        labels = (row.label, row.media_type)
        match row.figure:
            case RunFigure.RUNS:
                runs.add_metric(labels, row.total)
            case RunFigure.STAGE_SECONDS:
                seconds.add_metric(labels, row.times, row.total)
            case RunFigure.STAGE_PEAK_MB:
                memory.add_metric(labels, row.times, row.total * _MB)
                highest.add_metric(labels, row.highest * _MB)
            case RunFigure.PAGES:
                is_ocr = row.label == "ocr"
                read_by = ("ocr" if is_ocr else "text", row.media_type)
                pages.add_metric(read_by, row.total if is_ocr else row.total - by_ocr.get(row.media_type, 0.0))
            case RunFigure.CHUNKS:
                chunks.add_metric(labels, row.total)
    yield from (runs, seconds, memory, highest, pages, chunks)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in sorted(values.items()):
        family.add_metric((value,), number)
    return family

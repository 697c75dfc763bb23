"""Send spans of requests and searches to a collector of OpenTelemetry, where one is named.

FastAPI makes the spans of requests by itself. It notes paths and queries, which hold names of files and questions, so
these are blanked before a span is sent; spans name the route. It would send exceptions with their messages and traces
too, which may hold what a file says, so its logs stay off. The library reads its other variables itself
(`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, …:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import Span, get_current_span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_NAME = "ingest_assets"
_PRIVATE = ("url.path", "url.query", "http.request.method_original")
_log = logging.getLogger(__name__)


class Traces:
    """What sends the spans of one service; none where no collector is named."""

    def __init__(self, endpoint: str) -> None:
        """Take the address below which the collector takes OTLP over HTTP at `/v1/traces`; empty for none."""
        self._provider = _provider(endpoint) if endpoint else None

    @property
    def of_requests(self) -> TelemetryConfig:
        """What FastAPI needs to know to trace requests."""
        return TelemetryConfig(
            tracing=self._provider is not None,
            tracer_provider=self._provider,
            metrics=False,
            logs=False,
            auto_configure=False,
        )

    @contextmanager
    def part(self, name: str, **counts: int) -> Iterator[None]:
        """Trace a part of the request that is being answered."""
        if self._provider is None:
            yield
            return
        with self._provider.get_tracer(_NAME, version("ingest-assets")).start_as_current_span(
            name,
            attributes={f"ingest.{what}": count for what, count in counts.items()},
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield

    def close(self) -> None:
        """Send what waits."""
        if self._provider is not None:
            self._provider.shutdown()


def note_request(request_id: str) -> str:
    """Note the id of the request in its span; return the id of its trace, empty where it is not traced."""
    span = get_current_span()
    if not span.is_recording():
        return ""
    span.set_attribute("ingest.request_id", request_id)
    return f"{span.get_span_context().trace_id:032x}"


def _provider(endpoint: str) -> TracerProvider | None:
    """Return what sends spans; None, said in the log, without the extra: answers are worth more than traces of them."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set and no trace is sent; install ingest-assets[otel]")
        return None

    class Blanking(SpanProcessor):
        def on_start(self, span: Span, parent_context: object = None) -> None:
            """Blank what names files, before anything is sent."""
            for name in _PRIVATE:
                if name in (getattr(span, "attributes", None) or ()):
                    span.set_attribute(name, "")

    about = Resource.create({"service.version": version("ingest-assets")})
    if str(about.attributes[SERVICE_NAME]).startswith("unknown_service"):  # OTEL_SERVICE_NAME names none
        about = about.merge(Resource({SERVICE_NAME: _NAME}))
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    provider.add_span_processor(Blanking())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    return provider

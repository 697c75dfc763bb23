"""Test that a collector of OpenTelemetry hears of requests and searches, and of nothing that files or people say."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest_assets.api.tracing import Traces
from ingest_assets_tests.api.conftest import serving
from testing.servers import serving_in_thread

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(ThreadingHTTPServer):
    """Takes what exporters send to `/v1/traces`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Span]:
        found = (ExportTraceServiceRequest.FromString(body) for body in self.bodies)
        return [span for one in found for named in one.resource_spans for by in named.scope_spans for span in by.spans]


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def collecting() -> AbstractContextManager[Collector]:
    return serving_in_thread(Collector())


def attributes(span: Span) -> dict[str, str | int]:
    return {
        one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
        for one in span.attributes
    }


def test_requests_and_searches_are_seen_and_no_names_and_no_texts(tmp_path: Path, model_cache: Path) -> None:
    with collecting() as collector:
        with serving(tmp_path / "home", model_cache, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as served:
            asked = {"query": "where do secret geese winter", "user_id": "annabel", "project_id": "marsh"}
            answer = served.client.post(
                "/search", json=asked, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
            )
            assert answer.status_code == 200
            unknown = {"user_id": "annabel", "project_id": "marsh", "filename": "geese.md"}
            assert served.client.get("/files/content", params=unknown).status_code == 404
            assert served.client.get("/no/geese.md").status_code == 404
        spans, sent = collector.spans(), b"".join(collector.bodies)
    by_name = {span.name: span for span in spans}
    search, embed, store = by_name["POST /search"], by_name["embed question"], by_name["search store"]
    assert {span.trace_id.hex() for span in (search, embed, store)} == {TRACE}
    assert attributes(search)["ingest.request_id"] == answer.headers["X-Request-ID"]
    assert attributes(search)["http.response.status_code"] == 200
    assert attributes(store)["ingest.projects"] == 1
    assert attributes(by_name["GET /files/content"])["http.response.status_code"] == 404
    assert b"ingest_assets" in sent
    assert not [word for word in (b"geese", b"annabel", b"marsh", b"secret") if word in sent]


def test_without_the_extra_the_service_answers_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    traces = Traces("http://127.0.0.1:1")
    assert traces.of_requests["tracing"] is False
    assert "install ingest-assets[otel]" in caplog.text

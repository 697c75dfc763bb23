"""Test that Prometheus finds what an operator has to know, and nobody else does."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingest_assets.access.callers import KeyRole
from ingest_assets.api.figures import ServiceFigures
from ingest_assets.errors import OutsideError
from ingest_assets.project import Project
from ingest_assets_tests.api.conftest import Served


def figures(client: httpx.Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.slow
def test_a_file_that_waits_and_one_that_was_ingested_are_seen(served: Served) -> None:
    assert served.ingest(served.put("ann/p/tides.md", "# Tides\n\nHigh tide is at noon."))
    served.put("ann/p/geese.md", "# Geese\n\nThey winter on the north meadow.")
    served.service.project.noticing.look(within_s=10)
    found = figures(served.client)
    assert found[("ingest_queue_depth",)] == 1
    assert found[("ingest_files", "state=succeeded")] == 1
    assert found[("ingest_files", "state=pending")] == 1
    assert found[("ingest_store_files",)] == found[("ingest_store_chunks",)] == 1
    assert found[("ingest_runs_total", "media_type=text/markdown", "outcome=succeeded")] == 1
    assert found[("ingest_chunks_total", "media_type=text/markdown", "vector=embedded")] == 1
    for stage in ("raw_files", "parsed_documents", "image_captions", "chunks", "embeddings"):
        labels = ("media_type=text/markdown", f"stage={stage}")
        assert found[("ingest_stage_seconds_count", *labels)] == 1
        assert 1e7 < found[("ingest_stage_highest_memory_bytes", *labels)] < 4e9


@pytest.mark.slow
def test_a_run_that_finds_nothing_to_do_counts_as_unchanged(served: Served) -> None:
    file_id = served.put("ann/p/tides.md", "# Tides\n\nHigh tide is at noon.")
    assert served.ingest(file_id)
    assert served.ingest(file_id)
    found = figures(served.client)
    assert found[("ingest_runs_total", "media_type=text/markdown", "outcome=unchanged")] == 1
    assert found[("ingest_stage_seconds_count", "media_type=text/markdown", "stage=chunks")] == 1


def test_requests_are_counted_by_the_template_of_their_path(shared_service: Served) -> None:
    for path in ("/health", "/health", "/no/where/1", "/no/where/2"):
        shared_service.client.get(path)
    found = figures(shared_service.client)
    assert found[("ingest_http_requests_total", "method=GET", "route=/health", "status=200")] == 2
    assert found[("ingest_http_requests_total", "method=GET", "route=", "status=404")] == 2
    assert not any("where" in label for name in found for label in name)


def test_only_an_operator_reads_them(served: Served) -> None:
    assert served.with_key("*", role=KeyRole.WRITE).get("/metrics").status_code == 403
    assert served.with_key("*", role=KeyRole.ADMIN).get("/metrics").status_code == 200


def test_they_answer_while_the_index_is_away() -> None:
    def away() -> Project:
        raise OutsideError("the index database is away")

    text = ServiceFigures(away).text().decode()
    assert "ingest_index_up 0.0" in text
    assert "process_resident_memory_bytes" in text

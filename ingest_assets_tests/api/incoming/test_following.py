"""Test how a client follows its job: by status, by events, and within the scope of its key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.incoming.uploading import send, status
from ingest_assets_tests.api.test_service import problem

pytestmark = pytest.mark.slow


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield name, id and data of each event."""
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif "data" in found:
            yield found["event"], found["id"], json.loads(found["data"])
            found = {}


def test_an_upload_is_kept_and_its_job_told_from_queue_to_end(shared_service: Served, project: str) -> None:
    answer = send(
        shared_service.client, project, {"a.txt": b"Words of a note.", "b.pdf": b"%PDF-1.4 broken"}, title="Q3"
    )
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["state"], job["total_files"]) == ("queued", 2)
    assert [file["filename"] for file in job["files"]] == ["a.txt", "b.pdf"]
    found = shared_service.client.get(job["status_url"]).json()
    assert (found["state"], found["metadata"]) == ("queued", {"title": "Q3"})
    for file in job["files"]:
        shared_service.ingest(file["file_id"])
    found = status(shared_service.client, job["job_id"])
    assert (found["state"], found["totals"]["done"], found["totals"]["chunks"]) == ("partial", 2, 1)
    good, bad = found["files"]
    assert (good["state"], good["chunks"], good["attempts"], good["percent"]) == ("succeeded", 1, 1, 100)
    assert (bad["state"], bad["attempts"]) == ("failed", 1) and "b.pdf" in bad["error"]


def test_the_events_of_a_job_tell_each_change_and_end(shared_service: Served, project: str) -> None:
    job = send(shared_service.client, project, {"a.txt": b"Words of a note."}).json()
    with shared_service.client.stream("GET", job["events_url"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-cache"
        assert stream.headers["x-accel-buffering"] == "no"
        told = events(stream.iter_lines())
        name, _, data = next(told)
        assert (name, data["state"]) == ("status", "queued")
        shared_service.ingest(job["files"][0]["file_id"])
        *_, (name, last, data) = told
        assert (name, data["state"], data["totals"]["chunks"]) == ("done", "succeeded", 1)
    again = {"Last-Event-ID": last}
    assert shared_service.client.get(job["events_url"], headers=again).status_code == 204
    with shared_service.client.stream("GET", job["events_url"], headers={"Last-Event-ID": "older"}) as stream:
        assert [name for name, _, _ in events(stream.iter_lines())] == ["done"]


def test_an_unknown_job_is_a_problem(shared_service: Served) -> None:
    for path in ("/upload/status", "/upload/events"):
        answer = shared_service.client.get(path, params={"job_id": "nowhere"})
        assert (answer.status_code, problem(answer)["code"]) == (404, "unknown_job")
        assert shared_service.client.get(path).status_code == 400

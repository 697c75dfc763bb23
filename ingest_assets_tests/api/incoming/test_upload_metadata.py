"""Test what an upload says of its files: their chunks carry it, searches filter by it, and it can be changed."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.incoming.uploading import send, staged, status

pytestmark = pytest.mark.slow


def test_what_an_upload_says_of_a_file_is_found_and_filtered_by(shared_service: Served, project: str) -> None:
    client, owner = shared_service.client, {"user_id": "ann", "project_id": project}

    def found(**metadata: Any) -> list[Any]:
        body = {"query": "where is the table?", **owner, "filters": {"metadata": metadata}}
        return [hit["metadata"] for hit in client.post("/search", json=body).json()["hits"]]

    def listed() -> tuple[str, Any]:
        (file,) = client.get("/files", params=owner).json()["files"]
        return file["state"], file["metadata"]

    text = {"a.txt": b"The tide table hangs beside the door."}
    job = send(client, project, text, metadata={"year": 2025}, team="sea").json()
    assert listed() == ("pending", {"year": 2025, "team": "sea"})
    assert shared_service.ingest(job["files"][0]["file_id"])
    assert listed() == ("succeeded", {"year": 2025, "team": "sea"})
    assert found(year=2025, team=["sea", "air"]) == [{"year": 2025, "team": "sea"}] and found(year=2026) == []

    assert send(client, project, text).json()["files"][0]["unchanged"], "it says nothing, so nothing changes"
    other = send(client, project, text, metadata={"year": 2026}).json()
    assert not other["files"][0]["unchanged"] and staged(shared_service) == []
    assert status(client, other["job_id"])["files"][0]["state"] == "pending"
    assert shared_service.ingest(job["files"][0]["file_id"])
    assert found(year=2026) == [{"year": 2026}] and found(team="sea") == []
    assert status(client, other["job_id"])["state"] == "succeeded"
    chunks = client.get("/files/chunks", params={**owner, "filename": "a.txt"}).json()
    assert (chunks["file"]["metadata"], chunks["chunks"][0]["metadata"]) == ({"year": 2026}, {"year": 2026})

    by_key = {"location": f"ann/{project}/a.txt", "metadata": {"year": 2027}}
    assert not client.post("/ingest-file", json=by_key).json()["files"][0]["unchanged"]
    assert shared_service.ingest(job["files"][0]["file_id"]) and found(year=2027) == [{"year": 2027}]
    assert client.post("/ingest-file", json=by_key).json()["files"][0]["unchanged"]
    assert client.delete("/files", params={**owner, "filename": "a.txt"}).status_code == 200
    assert shared_service.service.project.file_details.of(job["files"][0]["file_id"]) == ""

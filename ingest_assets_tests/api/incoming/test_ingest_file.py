"""Test files that a request names by their place: looked at once, run again, told to a callback, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.messaging.delivery import deliver_due
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.incoming.uploading import status
from ingest_assets_tests.api.test_service import problem
from testing.receiver import receiving

pytestmark = pytest.mark.slow


def test_a_file_whose_run_failed_is_run_again_when_it_is_named(served: Served) -> None:
    assert not served.ingest(served.put("ann/p/torn.pdf", b"%PDF-1.7 torn"))
    assert served.service.project.pending.count() == 0
    job = served.client.post("/ingest-file", json={"location": "ann/p/torn.pdf"}).json()
    assert [file.file_id for file in served.service.project.pending.next(limit=9)] == ["ann:p:torn.pdf"]
    status = served.client.get("/upload/status", params={"job_id": job["job_id"]}).json()
    assert status["files"][0]["state"] == "pending"


def test_a_location_in_the_bucket_is_looked_at_once_and_told_to_the_callback(served: Served) -> None:
    served.put("ann/p/a.txt", "Words of a note.")
    answer = served.client.post("/ingest-file", json={"location": "ann/p/a.txt", "metadata": {"n": 1}})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert status(served.client, job["job_id"])["state"] == "queued"
    assert [each.key for each in served.service.project.pending.next(limit=10)] == ["ann/p/a.txt"]
    served.ingest(job["files"][0]["file_id"])
    assert status(served.client, job["job_id"])["state"] == "succeeded"
    again = served.client.post("/ingest-file", json={"location": "ann/p/a.txt"}).json()
    assert again["files"][0]["unchanged"]


def test_a_callback_hears_of_a_file_from_its_queue_to_its_end(tmp_path: Path, model_cache: Path) -> None:
    settings = {"INGEST_PROGRESS_SECRET": "a long enough secret", "INGEST_URL_ALLOW": "127.0.0.1"}
    with serving(tmp_path / "home", model_cache, **settings) as served, receiving() as receiver:
        served.put("ann/p/a.txt", "Words of a note.")
        wanted = {"location": "ann/p/a.txt", "callback": receiver.url}
        job = served.client.post("/ingest-file", json=wanted).json()
        served.ingest(job["files"][0]["file_id"])
        again = served.client.post("/ingest-file", json=wanted)
        assert again.json()["files"][0]["unchanged"], "it is told again how the file is"
        outbox = served.service.project.outbox
        while deliver_due(outbox, served.settings, within_s=10).sent:
            pass
        told = [each.message for each in receiver.got]
    assert {message["file_id"] for message in told} == {"ann:p:a.txt"}
    states = [message["status"] for message in told if message["event"] == "file.state"]
    assert states[:2] == ["queued", "processing"] and states[-2:] == ["completed", "completed"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"location": "ann/p/none.txt"}, "no_such_object"),
        ({"location": "lonely.txt"}, "bad_input"),
        ({"location": "ann/p/../../x"}, "bad_input"),
        ({"location": "ann/p/.ingest-staging"}, "bad_input"),
        ({"location": "s3://other/a.txt", "user_id": "ann", "project_id": "p"}, "bad_input"),
        ({"location": "file:///etc/passwd"}, "bad_input"),
        ({"location": ""}, "wrong_request"),
        ({}, "wrong_request"),
        ({"location": "ann/p/a.txt", "unknown": 1}, "wrong_request"),
        ({"location": "ann/p/a.txt", "callback": "http://169.254.169.254/"}, "bad_input"),
        ({"location": "ann/p/a.txt", "user_id": "bob"}, "bad_input"),
    ],
)
def test_a_location_that_cannot_be_ingested_is_refused(shared_service: Served, body: dict[str, str], code: str) -> None:
    assert problem(shared_service.client.post("/ingest-file", json=body))["code"] == code

"""Uploads where the bucket lies on S3: streamed there, presigned, and copied from other places."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.test_service import problem
from testing.object_storage import S3Server, s3_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def other(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture(scope="module")
def on_s3(s3: S3Server, other: str, tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    settings = {
        "INGEST_BUCKET": f"s3://{s3.new_bucket()}/up",
        "INGEST_S3_ENDPOINT": s3.url,
        "INGEST_LOCATIONS": f"s3://{other}/incoming",
        "INGEST_QUOTA_OF_PROJECT": "files=4",
    }
    with serving(tmp_path_factory.mktemp("service") / "home", model_cache, **settings) as running:
        yield running


def names(served: Served, s3: S3Server) -> list[str]:
    bucket, _, _ = served.settings.bucket.removeprefix("s3://").partition("/")
    return [found["Key"] for found in s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])]


def wait_for_end_of_copy(served: Served, job_id: str) -> dict[str, object]:
    pause = threading.Event()
    for _ in range(500):
        found: dict[str, object] = served.client.get("/upload/status", params={"job_id": job_id}).json()
        if found["state"] != "receiving":
            return found
        pause.wait(0.05)
    raise AssertionError(found)


def test_an_upload_of_several_parts_lies_in_the_bucket_whole(on_s3: Served, s3: S3Server) -> None:
    data = os.urandom(12_000_000)
    sent = [("files", ("big.bin", data)), ("files", ("small.txt", b"words"))]
    answer = on_s3.client.post("/upload", data={"user_id": "ann", "project_id": "p"}, files=sent)
    assert answer.status_code == 202, answer.text
    kept = [name for name in names(on_s3, s3) if name.startswith("up/ann/p/")]
    assert kept == ["up/ann/p/big.bin", "up/ann/p/small.txt"]
    assert not [name for name in names(on_s3, s3) if ".ingest-staging" in name]
    with on_s3.service.project.bucket.local("ann/p/big.bin") as path:
        assert path.read_bytes() == data
    on_s3.service.project.bucket.release()


def test_a_client_puts_a_file_past_the_service(on_s3: Served) -> None:
    wanted = {"user_id": "ann", "project_id": "q", "filename": "note.txt", "size_bytes": 16}
    answer = on_s3.client.post("/uploads/presign", json=wanted)
    assert answer.status_code == 200, answer.text
    signed = answer.json()
    headers = parse_qs(urlsplit(signed["url"]).query)["X-Amz-SignedHeaders"][0].split(";")
    assert {"content-length", "if-none-match"} <= set(headers), "another size, or over another object, is refused"
    put = httpx.request(signed["method"], signed["url"], content=b"Words of a note.", headers=signed["headers"])
    assert put.status_code == 200, put.text
    job = on_s3.client.post("/ingest-file", json={"location": signed["key"]}).json()
    assert job["files"][0]["file_id"] == "ann:q:note.txt"
    again = on_s3.client.post("/uploads/presign", json=wanted)
    assert problem(again)["code"] == "name_taken"
    assert on_s3.client.post("/uploads/presign", json={**wanted, "replace": True}).status_code == 200


def test_signed_uploads_count_in_the_quota_before_and_after_they_are_there(on_s3: Served) -> None:
    wanted = {"user_id": "ann", "project_id": "signed", "size_bytes": 16}
    signed = [on_s3.client.post("/uploads/presign", json=wanted | {"filename": f"{n}.txt"}).json() for n in range(4)]
    refused = on_s3.client.post("/uploads/presign", json=wanted | {"filename": "5.txt"})
    assert (refused.status_code, problem(refused)["code"]) == (429, "quota_used")
    assert on_s3.client.post("/uploads/presign", json=wanted | {"filename": "0.txt"}).status_code == 200, (
        "it has a place"
    )
    body = {"user_id": "ann", "project_id": "signed"}
    plain = on_s3.client.post("/upload", data=body, files=[("files", ("5.txt", b"Words of a note."))])
    assert problem(plain)["code"] == "quota_used"
    httpx.request("PUT", signed[0]["url"], content=b"Words of a note.", headers=signed[0]["headers"]).raise_for_status()
    assert on_s3.client.post("/ingest-file", json={"location": signed[0]["key"]}).status_code == 202, "its own place"
    on_s3.client.delete("/files", params=body | {"filename": "0.txt"}).raise_for_status()
    assert on_s3.client.post("/uploads/presign", json=wanted | {"filename": "5.txt"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size_bytes": 51_000_000}, "too_large"),
        ({"size_bytes": 0}, "wrong_request"),
        ({"filename": "../x"}, "bad_input"),
        ({"filename": ""}, "bad_input"),
        ({"folder": "a/../b"}, "bad_input"),
        ({"user_id": ""}, "bad_input"),
    ],
)
def test_what_cannot_be_uploaded_is_not_signed(on_s3: Served, change: dict[str, object], code: str) -> None:
    wanted = {"user_id": "ann", "project_id": "q", "filename": "a.txt", "size_bytes": 5} | change
    assert problem(on_s3.client.post("/uploads/presign", json=wanted))["code"] == code


def test_an_object_elsewhere_is_copied_into_the_bucket_after_the_answer(
    on_s3: Served, s3: S3Server, other: str
) -> None:
    s3.client().put_object(Bucket=other, Key="incoming/note.txt", Body=b"Words from elsewhere.")
    owner = {"user_id": "ann", "project_id": "r"}
    answer = on_s3.client.post("/ingest-file", json={"location": f"s3://{other}/incoming/note.txt", **owner})
    assert (answer.status_code, answer.json()["state"]) == (202, "receiving")
    found = wait_for_end_of_copy(on_s3, answer.json()["job_id"])
    assert found["state"] == "queued", found
    with on_s3.service.project.bucket.local("ann/r/note.txt") as path:
        assert path.read_bytes() == b"Words from elsewhere."
    on_s3.service.project.bucket.release()


def test_an_object_that_is_not_elsewhere_ends_the_job(on_s3: Served, other: str) -> None:
    owner = {"user_id": "ann", "project_id": "r"}
    answer = on_s3.client.post("/ingest-file", json={"location": f"s3://{other}/incoming/none.txt", **owner})
    found = wait_for_end_of_copy(on_s3, answer.json()["job_id"])
    assert found["state"] == "failed"
    assert "there is no such object" in str(found["files"])


def test_a_place_that_is_not_allowed_is_not_read(on_s3: Served, other: str) -> None:
    owner = {"user_id": "ann", "project_id": "r"}
    answer = on_s3.client.post("/ingest-file", json={"location": f"s3://{other}/private/x.txt", **owner})
    assert problem(answer)["code"] == "bad_input"

"""Uploads over HTTP: all files or none, refused in the middle by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest_assets.access.callers import KeyRole
from ingest_assets.uploads.job_table import JOBS
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.incoming.uploading import held, send, staged, status
from ingest_assets_tests.api.test_service import problem

pytestmark = pytest.mark.slow


def test_the_clients_of_the_replaced_service_are_understood(shared_service: Served, project: str) -> None:
    send(shared_service.client, project, {"a.txt": b"older", "b.txt": b"kept"})
    fields = {"user_id": "ann", "project_id": project}
    form = httpx.Request(
        "POST",
        "http://x",
        files=[("files", ("a.txt", b"newer")), ("files", ("b.txt", b"other")), ("files", ("c.txt", b"c"))],
    )
    later = httpx.Request(
        "POST",
        "http://x",
        data={**fields, "replace_filenames": '["a.txt"]', "rename_map": '{"b.txt": "b (1).txt"}'},
        files=[("files", ("d.txt", b"d"))],
    )
    boundary = form.headers["content-type"].partition("boundary=")[2].encode()
    tail = later.read().replace(later.headers["content-type"].partition("boundary=")[2].encode(), boundary)
    body = form.read().removesuffix(b"--" + boundary + b"--\r\n") + tail  # the fields come behind the files
    answer = shared_service.client.post("/upload", content=body, headers={"content-type": form.headers["content-type"]})
    assert answer.status_code == 202, answer.text
    assert held(shared_service, project) == {
        "a.txt": b"newer", "b.txt": b"kept", "b (1).txt": b"other", "c.txt": b"c", "d.txt": b"d",
    }  # fmt: skip


def test_a_file_of_51_mb_is_refused_by_name_and_nothing_is_kept(shared_service: Served, project: str) -> None:
    answer = send(shared_service.client, project, {"small.txt": b"x", "big.bin": b"x" * 51_000_000})
    assert answer.status_code == 413
    assert "'big.bin': it is larger than 50 MB (MAX_FILE_MB)" in problem(answer)["detail"]
    assert held(shared_service, project) == {} and staged(shared_service) == []


def test_a_sixteenth_file_is_refused_by_name_and_nothing_is_kept(shared_service: Served, project: str) -> None:
    answer = send(shared_service.client, project, {f"{number}.txt": b"x" for number in range(16)})
    assert answer.status_code == 413
    assert "'15.txt': it is number 16" in problem(answer)["detail"]
    assert held(shared_service, project) == {} and staged(shared_service) == []


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        ({"a.txt": b"x", "none.txt": b""}, {}, "'none.txt': it is empty"),
        ({"a.txt": b"x", "../b.txt": b"x"}, {}, "'../b.txt': the name holds a path"),
        ({"a\u202etxt.exe": b"x"}, {}, "direction"),
        ({"x" * 256: b"x"}, {}, "256 bytes"),
        ({"a.txt": b"x"}, {"rename_map": {"a.txt": "b/c"}}, "rename_map: the file 'b/c'"),
        ({"a.txt": b"x", "b.txt": b"x"}, {"rename_map": {"a.txt": "b.txt"}}, "gets the name 'b.txt' too"),
        ({"a.txt": b"x"}, {"replace_filenames": "a.txt"}, "replace_filenames: it is not a JSON list"),
        ({}, {}, "multipart/form-data"),
        ({"a.txt": b"x"}, {"user_id": ""}, "user_id is missing"),
        ({"a.txt": b"x"}, {"project_id": ""}, "project_id is missing"),
        ({"a.txt": b"x"}, {"project_id": "a/b"}, "holds a slash"),
        ({"a.txt": b"x"}, {"project_id": ".."}, "the project '..' is no name"),
        ({"a.txt": b"x"}, {"project_id": "a\u202eb"}, "the project 'a\\u202eb': the name holds a control"),
        ({"a.txt": b"x"}, {"user_id": "ann\nbob"}, "the user 'ann\\nbob': the name holds a control"),
        ({"a.txt": b"x"}, {"project_id": ".hidden"}, "passed over"),
        ({"a.txt": b"x"}, {"metadata": {"a": "x" * 4_000}}, "metadata: has 4009 characters; at most 4000 are kept"),
        ({"a.txt": b"x"}, {"metadata": [1]}, "metadata: it is no JSON object"),
    ],
)
def test_wrong_forms_are_refused_with_what_where_and_what_to_do(
    shared_service: Served, project: str, files: dict[str, bytes], fields: dict[str, Any], said: str
) -> None:
    answer = send(shared_service.client, project, files, **fields)
    assert answer.status_code in {400, 415}, answer.text
    assert said in str(problem(answer)["detail"])
    assert held(shared_service, project) == {} and staged(shared_service) == []


def test_a_name_that_is_taken_is_a_conflict_that_says_what_to_do(shared_service: Served, project: str) -> None:
    send(shared_service.client, project, {"a.txt": b"one"})
    answer = send(shared_service.client, project, {"a.txt": b"two", "b.txt": b"new"})
    document = problem(answer)
    assert (answer.status_code, document["code"]) == (409, "name_taken")
    assert "replace_filenames" in str(document["detail"])
    assert held(shared_service, project) == {"a.txt": b"one"} and staged(shared_service) == []
    same = send(shared_service.client, project, {"a.txt": b"one"}).json()
    assert same["files"][0]["unchanged"]
    assert staged(shared_service) == []


def test_a_key_keeps_its_scope_and_a_reader_uploads_nothing(served: Served) -> None:
    ann, bob = served.with_key("ann/p"), served.with_key("bob")
    reader = served.with_key("ann/p", role=KeyRole.READ)
    job = ann.post("/upload", files=[("files", ("a.txt", b"one"))]).json()
    assert list(held(served, "p")) == ["a.txt"], "the key fills in what the form leaves out"
    assert status(reader, job["job_id"])["user_id"] == "ann"
    answer = bob.get("/upload/status", params={"job_id": job["job_id"]})
    assert problem(answer)["code"] == "unknown_job"
    for client, project in ((bob, "p"), (ann, "q")):
        answer = send(client, project, {"b.txt": b"x" * 2_000_000})
        assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden")
    assert problem(send(reader, "p", {"b.txt": b"x"}))["code"] == "role_needed"
    assert list(held(served, "p")) == ["a.txt"] and staged(served) == []


def test_the_same_request_again_is_answered_as_before_and_carried_out_once(served: Served) -> None:
    first = send(served.client, "p", {"a.txt": b"one"}, key="k-1")
    again = send(served.client, "p", {"a.txt": b"one"}, key="k-1")
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (202, first.json(), "true")
    other = send(served.client, "p", {"a.txt": b"two"}, key="k-1")
    assert (other.status_code, problem(other)["code"]) == (422, "idempotency_key_reused")
    replaced = send(served.client, "p", {"a.txt": b"two"}, key="k-2", replace_filenames=["a.txt"])
    assert replaced.json()["job_id"] != first.json()["job_id"]
    assert send(served.client, "p", {"a.txt": b"one"}, key="k-1").json() == first.json()
    assert held(served, "p") == {"a.txt": b"two"} and staged(served) == []


def test_a_defect_behind_the_moment_that_decides_loses_nothing(served: Served) -> None:
    keeping = served.service.keeping

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    served.service.keeping = replace(keeping, listeners=[fail])
    assert send(served.client, "p", {"a.txt": b"one", "b.txt": b"two"}).status_code == 500
    served.service.keeping = keeping
    with served.service.project.database.begin() as connection:
        connection.execute(JOBS.update().values(due_s=0))
    keeping.finish_open()
    assert held(served, "p") == {"a.txt": b"one", "b.txt": b"two"}
    assert served.service.project.pending.waiting(user_id="ann") == 2


def test_a_long_queue_refuses_before_the_body_and_each_user_apart(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache, INGEST_MAX_QUEUED=3, INGEST_MAX_QUEUED_OF_USER=2) as served:
        for number in range(2):
            assert send(served.client, "p", {f"{number}.txt": b"x"}).status_code == 202
        answer = send(served.client, "p", {"2.txt": b"x"})
        assert (answer.status_code, problem(answer)["code"]) == (429, "queue_full")
        assert int(answer.headers["retry-after"]) > 0
        assert send(served.client, "p", {"2.txt": b"x"}, user_id="bob").status_code == 202
        answer = served.client.post("/upload", content=b"never read", headers={"content-type": "multipart/form-data"})
        assert problem(answer)["code"] == "queue_full"


def test_a_presigned_upload_needs_a_bucket_on_s3(shared_service: Served) -> None:
    body = {"user_id": "ann", "project_id": "p", "filename": "a.pdf", "size_bytes": 5}
    answer = shared_service.client.post("/uploads/presign", json=body)
    assert (answer.status_code, problem(answer)["code"]) == (404, "not_on_s3")

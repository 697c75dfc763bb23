"""Uploads over HTTP: all files or none, refused in the middle by name, told while they are ingested."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest_assets.access.callers import KeyRole
from ingest_assets.messaging.delivery import deliver_due
from ingest_assets.uploads.job_table import JOBS
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.test_service import problem
from ingest_assets_tests.messaging.receiver import receiving

pytestmark = pytest.mark.slow
_projects = count()


@pytest.fixture
def project() -> str:
    """A project that no other test uses."""
    return f"p{next(_projects)}"


def send(client: httpx.Client, project: str, files: dict[str, bytes], **fields: Any) -> httpx.Response:
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    headers = {"Idempotency-Key": given.pop("key")} if "key" in given else {}
    return client.post(
        "/upload",
        data={"user_id": "ann", "project_id": project, **given},
        files=[("files", (name, data)) for name, data in files.items()],
        headers=headers,
    )


def held(served: Served, project: str) -> dict[str, bytes]:
    folder = Path(served.settings.bucket) / "ann" / project
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def staged(served: Served) -> list[Path]:
    return list((Path(served.settings.bucket) / ".ingest-staging").glob("[!.]*"))


def status(client: httpx.Client, job_id: str) -> dict[str, Any]:
    answer = client.get("/upload/status", params={"job_id": job_id})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


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
        ({"a.txt": b"x"}, {"project_id": ".."}, "USER/PROJECT/FILENAME"),
        ({"a.txt": b"x"}, {"project_id": "a\u202eb"}, "the project 'a\\u202eb': the name holds a control"),
        ({"a.txt": b"x"}, {"user_id": "ann\nbob"}, "the user 'ann\\nbob': the name holds a control"),
        ({"a.txt": b"x"}, {"project_id": ".hidden"}, "passed over"),
    ],
)
def test_wrong_forms_are_refused_with_what_where_and_what_to_do(
    shared_service: Served, project: str, files: dict[str, bytes], fields: dict[str, Any], said: str
) -> None:
    answer = send(shared_service.client, project, files, **fields)
    assert answer.status_code in {400, 415}, answer.text
    assert said in str(problem(answer)["detail"])
    assert held(shared_service, project) == {} and staged(shared_service) == []


def test_a_wrong_boundary_is_refused(shared_service: Served) -> None:
    request = httpx.Request("POST", "http://x", data={"user_id": "ann"}, files=[("files", ("a.txt", b"x"))])
    wrong = {"content-type": "multipart/form-data; boundary=other"}
    answer = shared_service.client.post("/upload", content=request.read(), headers=wrong)
    assert "does not follow the boundary" in str(problem(answer)["detail"])


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


def raw(served: Served, project: str, *, declared: int, sent: bytes) -> socket.socket:
    """Begin an upload and send a part of its body."""
    client = socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=10)
    head = (
        "POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=XX\r\n"
        f"Content-Length: {declared}\r\n\r\n"
    )
    fields = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("user_id", "ann"), ("project_id", project))
    )
    begin = '--XX\r\nContent-Disposition: form-data; name="files"; filename="slow.txt"\r\n\r\n'
    client.sendall(head.encode() + fields.encode() + begin.encode() + sent)
    return client


def test_a_body_that_ends_early_leaves_nothing(shared_service: Served, project: str) -> None:
    client = raw(shared_service, project, declared=10_000_000, sent=b"x" * 400_000)
    gone = threading.Event()
    for _ in range(200):
        if staged(shared_service):
            break
        gone.wait(0.02)
    assert staged(shared_service), "it lies in the bucket while it arrives"
    client.close()
    for _ in range(200):
        if not staged(shared_service):
            break
        gone.wait(0.02)
    assert staged(shared_service) == [] and held(shared_service, project) == {}


def test_a_body_that_comes_slowly_is_kept(shared_service: Served, project: str) -> None:
    rest = b"slowly" + b"\r\n--XX--\r\n"
    with raw(shared_service, project, declared=0, sent=b"") as probe:
        probe.close()
    fields = len(
        "".join(
            f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("user_id", "ann"), ("project_id", project))
        )
        + '--XX\r\nContent-Disposition: form-data; name="files"; filename="slow.txt"\r\n\r\n'
    )
    with raw(shared_service, project, declared=fields + len(rest), sent=b"") as client:
        for byte in rest:
            client.sendall(bytes([byte]))
        answer = client.recv(65_536)
    assert b" 202 " in answer.partition(b"\r\n")[0]
    assert held(shared_service, project) == {"slow.txt": b"slowly"}


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


def test_a_presigned_upload_needs_a_bucket_on_s3(shared_service: Served) -> None:
    body = {"user_id": "ann", "project_id": "p", "filename": "a.pdf", "size_bytes": 5}
    answer = shared_service.client.post("/uploads/presign", json=body)
    assert (answer.status_code, problem(answer)["code"]) == (404, "not_on_s3")

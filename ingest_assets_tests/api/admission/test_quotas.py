"""Test that too much is refused before it is read, and says when to come again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ingest_assets.access.quotas import Use
from ingest_assets.api.admission.quotas import Quotas
from ingest_assets.api.problems import ApiProblem
from ingest_assets.config.settings import Settings
from ingest_assets.index.reservations import give_back
from ingest_assets.ledger_records import Scope
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from ingest_assets_tests.api.conftest import serving
from testing.polling import until
from testing.postgres import postgres

ANN = Scope("ann", "p")


def quotas(tmp_path: Path, **settings: object) -> Quotas:
    given = Settings.model_validate({"DAGSTER_HOME": tmp_path / "home", "INGEST_SETTLE_S": 0, **settings})
    project = Project(given)
    for key in ("ann/p/a.md", "ann/q/b.md", "bea/p/c.md"):
        path = Path(given.bucket) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 1000)
    found = {item.key: item for item in project.bucket.list() if isinstance(item, BucketObject)}
    project.looks.keys(found, may_miss=False)
    return Quotas(given, lambda: project)


def refusal(asked: pytest.ExceptionInfo[ApiProblem]) -> tuple[int, str]:
    assert int(asked.value.headers["Retry-After"]) >= 1
    return asked.value.status, asked.value.code


def test_without_limits_everything_is_let_through(tmp_path: Path) -> None:
    limits = quotas(tmp_path)
    with limits.reserved(ANN, Use(files=10**6, size_bytes=10**12, chunks=10**9, tokens=10**12), queued=10**6):
        limits.require(ANN)


@pytest.mark.parametrize(
    ("settings", "adding"),
    [
        ({"INGEST_QUOTA_OF_USER": "files=2"}, {"files": 1}),
        ({"INGEST_QUOTA_OF_PROJECT": "files=1"}, {"files": 1}),
        ({"INGEST_QUOTA_OF_USER": "mb=1"}, {"size_bytes": 998_001}),
        ({"INGEST_QUOTA_OF_PROJECT": "chunks=5"}, {"chunks": 6}),
        ({"INGEST_QUOTA_OF_USER": "tokens=5"}, {"tokens": 6}),
    ],
)
def test_what_would_pass_a_quota_is_refused(
    tmp_path: Path, settings: dict[str, object], adding: dict[str, int]
) -> None:
    limits = quotas(tmp_path, **settings)
    limits.require(ANN)
    with pytest.raises(ApiProblem) as asked, limits.reserved(ANN, Use(**adding)):
        pass
    assert refusal(asked) == (429, "quota_used")


def test_chunks_of_clients_use_the_day(tmp_path: Path) -> None:
    limits = quotas(tmp_path, INGEST_QUOTA_OF_PROJECT="chunks=5")
    limits.add_chunks(ANN, chunks=5, tokens=100)
    with pytest.raises(ApiProblem) as asked:
        limits.require(ANN)
    assert refusal(asked) == (429, "quota_used")
    limits.require(Scope("ann", "q"))


@pytest.mark.parametrize("settings", [{"INGEST_QUOTA_OF_USER": "files=7"}, {"INGEST_MAX_QUEUED_OF_USER": 7}])
def test_requests_at_one_moment_pass_no_limit_together(tmp_path: Path, settings: dict[str, object]) -> None:
    require_no_more_than_five(quotas(tmp_path, **settings))


@pytest.mark.slow
def test_requests_to_services_on_one_server_pass_no_limit_together(tmp_path: Path) -> None:
    with postgres() as server:
        limits = quotas(tmp_path, INGEST_QUOTA_OF_USER="files=7", INGEST_INSTANCE_DB=server.url("ready"))
        require_no_more_than_five(limits)
        limits._project().close()


def require_no_more_than_five(limits: Quotas) -> None:
    """Ask from twenty threads at once; two of the seven files are there."""
    all_asked, let_through = threading.Barrier(20), list[bool]()

    def ask() -> None:
        try:
            with limits.reserved(ANN, Use(files=1), queued=1):
                let_through.append(True)
                all_asked.wait()
        except ApiProblem:
            all_asked.wait()

    with ThreadPoolExecutor(20) as threads:
        for asked in [threads.submit(ask) for _ in range(20)]:
            asked.result()
    assert len(let_through) == 5
    with limits.reserved(ANN, Use(files=5), queued=5):  # all was given back
        pass


def test_what_a_job_set_aside_is_kept_until_the_job_is(tmp_path: Path) -> None:
    limits = quotas(tmp_path, INGEST_QUOTA_OF_USER="files=3")
    with limits.reserved(ANN, Use(files=1), by_job=True) as job_id:
        pass
    with pytest.raises(ApiProblem), limits.reserved(ANN, Use(files=1)):
        pass
    with limits._project().database.begin() as connection:
        give_back(connection, job_id)
    with limits.reserved(ANN, Use(files=1)):
        pass


def test_an_upload_above_a_quota_is_refused_whole_and_leaves_nothing(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache, INGEST_QUOTA_OF_PROJECT="files=2") as served:
        fields = {"user_id": "ann", "project_id": "p"}
        first = [("files", ("a.md", b"# A\n\nTides."))]
        assert served.client.post("/upload", data=fields, files=first).status_code == 202
        two = [("files", (name, name.encode())) for name in ("b.md", "c.md")]
        answer = served.client.post("/upload", data=fields, files=two)
        assert (answer.status_code, answer.json()["code"]) == (429, "quota_used")
        assert [path.name for path in (Path(served.settings.bucket) / "ann/p").iterdir()] == ["a.md"]
        assert served.client.post("/upload", data=fields | {"project_id": "q"}, files=two).status_code == 202


def test_one_upload_too_many_is_refused_before_it_is_read(tmp_path: Path, model_cache: Path) -> None:
    boundary, may_end = "b", threading.Event()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\nTides'
    fields = "".join(
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in (("user_id", "ann"), ("project_id", "p"))
    )

    def slowly() -> Iterator[bytes]:
        yield head.encode()
        may_end.wait()
        yield f"{fields}\r\n--{boundary}--\r\n".encode()

    def send(content: Iterator[bytes] | bytes) -> httpx.Response:
        return served.client.post("/upload", content=content, headers=headers)

    whole = f"{head}{fields}\r\n--{boundary}--\r\n".encode()
    with (
        serving(tmp_path / "home", model_cache, INGEST_MAX_UPLOADS=1) as served,
        ThreadPoolExecutor(1) as thread,
    ):
        first = thread.submit(send, slowly())
        until(lambda: bool(served.service.upload_slots._taken), what="the first upload arrives")
        refused = send(whole)
        may_end.set()
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_uploads")
        assert int(refused.headers["Retry-After"]) >= 1
        assert first.result().status_code == 202
        assert send(whole).status_code == 202


def test_chunks_above_a_quota_are_refused_before_they_are_indexed(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache, INGEST_QUOTA_OF_USER="chunks=1") as served:
        chunks = [
            {"chunk_id": name, "markdown": {"text": f"The {name} leaves."}, "metadata": {"doc_id": "d"}}
            for name in ("ferry", "boat")
        ]
        address = "/api/entities/e/chunks"
        answer = served.client.post(f"{address}/batch", json={"chunks": chunks})
        assert (answer.status_code, answer.json()["code"]) == (429, "quota_used")
        assert served.client.post(address, json=chunks[0]).json()["indexed"]
        assert served.client.post(address, json=chunks[1]).status_code == 429

"""Test that too much is refused before it is read, and says when to come again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.api.admission.quotas import Quotas
from ingest_assets.api.problems import ApiProblem
from ingest_assets.config.settings import Settings
from ingest_assets.ledger_records import Scope
from ingest_assets.project import Project
from ingest_assets_tests.api.conftest import serving

ANN = Scope("ann", "p")


def quotas(tmp_path: Path, **settings: object) -> Quotas:
    given = Settings.model_validate({"DAGSTER_HOME": tmp_path / "home", "INGEST_SETTLE_S": 0, **settings})
    project = Project(given)
    for key in ("ann/p/a.md", "ann/q/b.md", "bea/p/c.md"):
        path = Path(given.bucket) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 1000)
    found = {item.key: item for item in project.bucket.list() if hasattr(item, "version")}
    project.looks.keys(found, may_miss=False)
    return Quotas(given, lambda: project)


def refusal(asked: pytest.ExceptionInfo[ApiProblem]) -> tuple[int, str]:
    assert int(asked.value.headers["Retry-After"]) >= 1
    return asked.value.status, asked.value.code


def test_without_limits_everything_is_let_through(tmp_path: Path) -> None:
    limits = quotas(tmp_path)
    limits.require(ANN, files=10**6, size_bytes=10**12, chunks=10**9, tokens=10**12)


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
    with pytest.raises(ApiProblem) as asked:
        limits.require(ANN, **adding)
    assert refusal(asked) == (429, "quota_used")


def test_chunks_of_clients_use_the_day(tmp_path: Path) -> None:
    limits = quotas(tmp_path, INGEST_QUOTA_OF_PROJECT="chunks=5")
    limits.add_chunks(ANN, chunks=5, tokens=100)
    with pytest.raises(ApiProblem) as asked:
        limits.require(ANN)
    assert refusal(asked) == (429, "quota_used")
    limits.require(Scope("ann", "q"))


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

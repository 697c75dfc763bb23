"""Test who is let in, what every answer carries, and that slow, large and wrong requests harm nobody."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest_assets.access.callers import KeyRole
from ingest_assets.api.service_address import find
from ingest_assets_tests.api.conftest import Served, serving


def problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance"} <= document.keys()
    assert document["status"] == answer.status_code
    return document


def test_it_lives_and_names_each_part(shared_service: Served) -> None:
    assert shared_service.client.get("/health").json() == {"status": "ok"}
    answer = shared_service.client.get("/ready")
    assert answer.status_code == 200, answer.text
    states = {part["name"]: part["state"] for part in answer.json()["components"]}
    assert states == {"bucket": "ready", "store": "ready", "index": "ready", "models": "ready", "runs": "waiting"}


def test_a_bucket_that_is_away_makes_it_unready_and_comes_back(served: Served) -> None:
    bucket = Path(served.settings.bucket)
    bucket.rename(bucket.with_name("elsewhere"))
    answer = served.client.get("/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    (away,) = [part for part in answer.json()["components"] if part["state"] == "away"]
    assert away["name"] == "bucket"
    bucket.with_name("elsewhere").rename(bucket)
    assert served.client.get("/ready").status_code == 200


def test_every_answer_has_its_id_and_the_headers_that_browsers_obey(shared_service: Served) -> None:
    for path in ("/health", "/nowhere"):
        headers = shared_service.client.get(path).headers
        assert len(headers["x-request-id"]) == 16
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_what_is_not_there_is_a_problem(shared_service: Served) -> None:
    nowhere, wrong = (problem(shared_service.client.request("POST", path)) for path in ("/nowhere", "/health"))
    assert (nowhere["code"], wrong["code"]) == ("not_found", "method_not_allowed")
    assert "'/nowhere': the service has no such path" in nowhere["detail"]
    assert "'/health': it does not take POST; send GET" in wrong["detail"]


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(shared_service: Served) -> None:
    with socket.create_connection(("127.0.0.1", int(shared_service.url.rpartition(":")[2])), timeout=10) as client:
        client.sendall(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
        said = client.recv(65536)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in said.lower()


def test_headers_that_never_end_are_cut_off(shared_service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest_assets.network.header_deadline.HEADERS_S", 0.5)
    with socket.create_connection(("127.0.0.1", int(shared_service.url.rpartition(":")[2])), timeout=30) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.2)
        client.sendall(b"X-Slow: 1\r\n")
        assert client.recv(100) == b""


def test_two_requests_on_one_connection_are_answered(shared_service: Served) -> None:
    with httpx.Client(base_url=shared_service.url) as client:
        assert [client.get("/health").status_code for _ in range(3)] == [200, 200, 200]


def test_requests_of_one_key_are_counted(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache, INGEST_RATE_LIMIT="3/minute") as served:
        key, other = served.with_key("ann"), served.with_key("bea")
        answers = [key.get("/openapi.json") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
        assert problem(answers[3])["code"] == "too_many_requests"
        assert 1 <= int(answers[3].headers["retry-after"]) <= 60
        assert other.get("/openapi.json").status_code == 403


def test_once_there_is_a_key_everybody_needs_one(served: Served) -> None:
    assert served.client.get("/openapi.json").status_code == 200
    admin = served.with_key("*", role=KeyRole.ADMIN)
    refused = served.client.get("/openapi.json")
    assert problem(refused)["code"] == "no_key"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert admin.get("/openapi.json").status_code == 200
    assert (
        served.client.get("/openapi.json", headers={"X-API-Key": served.key("*", role=KeyRole.ADMIN)}).status_code
        == 200
    )


@pytest.mark.parametrize("key", ["ia_0123456789ab_" + "x" * 43, "nonsense", "ia_\x7f"])
def test_a_wrong_key_is_refused_though_this_machine_is_let_in(shared_service: Served, key: str) -> None:
    answer = shared_service.client.get("/openapi.json", headers={"Authorization": f"Bearer {key}"})
    assert problem(answer)["code"] == "no_key"


def test_a_smaller_role_is_refused(served: Served) -> None:
    assert problem(served.with_key("*", role=KeyRole.WRITE).get("/openapi.json"))["code"] == "role_needed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "rebound.example"}, 401),
        ({"X-Forwarded-For": "127.0.0.1"}, 401),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_without_a_key_only_this_machine_itself_is_let_in(
    shared_service: Served, headers: dict[str, str], status: int
) -> None:
    assert shared_service.client.get("/openapi.json", headers=headers).status_code == status


def test_networks_that_are_open_may_write_and_not_administrate(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache, INGEST_OPEN_TO="127.0.0.0/8") as served:
        served.key("ann")
        assert problem(served.client.get("/openapi.json"))["code"] == "role_needed"


def test_pages_of_named_origins_may_call_it(tmp_path: Path, model_cache: Path) -> None:
    with serving(tmp_path / "home", model_cache, INGEST_CORS_ORIGINS="https://app.example") as served:
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        assert (
            served.client.options("/openapi.json", headers=asked).headers["access-control-allow-origin"]
            == asked["Origin"]
        )
        asked["Origin"] = "https://other.example"
        assert "access-control-allow-origin" not in served.client.options("/openapi.json", headers=asked).headers


def test_the_address_note_is_not_left_by_a_service_that_does_not_run(tmp_path: Path) -> None:
    assert find(tmp_path) is None

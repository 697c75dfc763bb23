"""Test that operators, and nobody else, reach Dagster's web server through the service: pages, GraphQL, web sockets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from ingest_assets.access.callers import KeyRole
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.documented import answer_of, blocks, is_like
from testing.servers import free_port, running

pytestmark = pytest.mark.slow
QUERY = {"query": "{ version }"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """A service with a key, and Dagster's web server, which has nothing to show."""
    folder, port = tmp_path_factory.mktemp("dagster"), free_port()
    command = [sys.executable, "-m", "dagster_webserver", "--empty-workspace", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/dagster"
    with (
        running([*command, "--path-prefix", "/dagster"], answers=f"{url}/server_info", log=folder / "log"),
        serving(folder / "home", model_cache, DAGSTER_PORT=port) as served,
    ):
        yield served


@pytest.fixture(scope="module")
def operator(service: Served) -> httpx.Client:
    return service.with_key("*", role=KeyRole.ADMIN)


def test_an_operator_sees_the_pages_and_their_parts(operator: httpx.Client) -> None:
    page = operator.get("/dagster/runs?q=tag%3Aa&q=tag%3Ab", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "nonce-" in page.headers["content-security-policy"]
    script = next(part.partition('"')[0] for part in page.text.split('src="') if part.startswith("/dagster/"))
    answer = operator.get(script)
    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]
    assert "default-src" not in answer.headers["content-security-policy"]


def test_an_operator_asks_graphql(operator: httpx.Client) -> None:
    assert operator.post("/dagster/graphql", json=QUERY).json()["data"]["version"]


def test_a_program_asks_as_documented(service: Served, tmp_path: Path) -> None:
    key = service.key("*", role=KeyRole.ADMIN)
    ((command, shown),) = blocks("Pages for operators")
    answer = answer_of(command, url=service.url, cwd=tmp_path, environment={**os.environ, "KEY": key})
    assert is_like(answer, shown), answer


@pytest.mark.parametrize("path", ["/dagster", "/dagster/", "/dagster/graphql", "/dagster/server_info"])
def test_others_are_refused(service: Served, path: str) -> None:
    assert service.client.get(path).status_code == 401
    assert service.with_key("*", role=KeyRole.WRITE).get(path).status_code == 403


def test_a_session_needs_no_token_there_but_an_origin_of_its_own(service: Served, operator: httpx.Client) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as browser:
        key = operator.headers["authorization"].removeprefix("Bearer ")
        assert browser.post("/session", json={"key": key}, headers={"Origin": service.url}).status_code == 201
        assert browser.post("/dagster/graphql", json=QUERY, headers={"Origin": service.url}).status_code == 200
        for headers in ({}, {"Origin": "https://example.org"}):
            assert browser.post("/dagster/graphql", json=QUERY, headers=headers).status_code == 403
        assert browser.post("/files/rerun", json={}, headers={"Origin": service.url}).status_code == 403


def socket_url(service: Served) -> str:
    return f"{service.url.replace('http', 'ws', 1)}/dagster/graphql"


def test_a_live_view_gets_its_messages(service: Served, operator: httpx.Client) -> None:
    headers = {"Authorization": operator.headers["authorization"]}
    with connect(socket_url(service), additional_headers=headers, subprotocols=[Subprotocol("graphql-ws")]) as socket:
        assert socket.subprotocol == "graphql-ws"
        socket.send(json.dumps({"type": "connection_init", "payload": {}}))
        assert json.loads(socket.recv(timeout=30))["type"] == "connection_ack"


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://example.org"}])
def test_a_web_socket_without_a_key_is_refused(service: Served, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(socket_url(service), additional_headers=headers):
        pass
    assert refused.value.response.status_code == 403


def test_a_web_server_that_is_away_is_told(served: Served) -> None:
    object.__setattr__(served.settings, "dagster_port", free_port())
    answer = served.client.get("/dagster/")
    assert (answer.status_code, answer.json()["code"]) == (503, "component_away")
    assert "INGEST_DAGSTER_URL" in answer.json()["detail"]

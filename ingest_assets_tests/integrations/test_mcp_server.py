"""Test the MCP server with the library's own client, on a real service with keys."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from ingest_assets.access.callers import KeyRole
from ingest_assets.integrations import mcp_server
from ingest_assets.integrations.mcp_server import AssistantTools, http_config, parts_of
from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.cli.command_line import INGEST
from ingest_assets_tests.integrations.conftest import LONG
from testing.servers import START_S, free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("integrations")]
_T = TypeVar("_T")


@pytest.fixture(scope="module")
def address(service: Served) -> Iterator[str]:
    """The address of an MCP server over HTTP."""
    port = free_port()
    tools = AssistantTools(service.url, key=None, user_id="entities")
    server = uvicorn.Server(http_config(tools, address="127.0.0.1", port=port))
    thread = threading.Thread(target=server.run, name="mcp")
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    thread.join(START_S)


def over_http(address: str, key: str, ask: Callable[[Client], Coroutine[Any, Any, _T]]) -> _T:
    async def asked() -> _T:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            return await ask(client)

    return asyncio.run(asked())


def told(result: CallToolResult) -> str:
    """Return what an assistant reads of a refusal."""
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def data(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


def test_an_assistant_on_this_machine_uses_all_tools_under_its_key(service: Served, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "INGEST_SERVICE_URL": service.url,
        "INGEST_API_KEY": service.key("entities/keepers", role=KeyRole.READ),
        "DAGSTER_HOME": str(tmp_path),
    }

    async def ask() -> None:
        async with Client(StdioServerParameters(command=str(INGEST), args=["mcp"], env=environment)) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == {"search", "read", "list_files"}
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)

            listed = data(await client.call_tool("list_files", {}))
            assert [file["filename"] for file in listed["files"]] == ["log", "manual"]
            assert listed["next_offset"] is None

            found = data(await client.call_tool("search", {"query": "what makes noise?", "k": 1}))
            (passage,) = found["passages"]
            assert (passage["text"], passage["filename"], passage["pages"]) == ("The horn is loud.", "manual", [2])
            named = data(await client.call_tool("search", {"query": "noise", "filename": "log", "k": 2}))
            assert {each["filename"] for each in named["passages"]} == {"log"}

            first = data(await client.call_tool("read", {"filename": "log"}))
            assert first["text"].startswith("Day 0:") and first["next_part"] == 2
            second = data(await client.call_tool("read", {"filename": "log", "part": 2}))
            assert f"Day {LONG - 1}:" in second["text"] and second["next_part"] is None
            assert "fewer than 3 parts" in told(await client.call_tool("read", {"filename": "log", "part": 3}))

            assert "no_such_file" in told(await client.call_tool("read", {"filename": "gone"}))
            assert "forbidden" in told(await client.call_tool("list_files", {"project_id": "pilots"}))
            assert "k" in told(await client.call_tool("search", {"query": "noise", "k": 0}))

    asyncio.run(ask())


def test_over_http_each_caller_sees_what_its_own_key_allows(service: Served, address: str) -> None:
    async def files(client: Client) -> list[str]:
        return [file["filename"] for file in data(await client.call_tool("list_files", {}))["files"]]

    async def of_the_keepers(client: Client) -> CallToolResult:
        return await client.call_tool("read", {"filename": "manual", "project_id": "keepers"})

    keepers, pilots = service.key("entities/keepers"), service.key("entities/pilots")
    assert over_http(address, keepers, files) == ["log", "manual"]
    assert over_http(address, pilots, files) == ["pilot"]
    assert "The lamp burns oil." in data(over_http(address, keepers, of_the_keepers))["text"]
    assert told(over_http(address, pilots, of_the_keepers)).startswith("Error executing tool read: forbidden")
    assert "no_key" in told(over_http(address, "ia_unknown_key", of_the_keepers))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eA=="}])
def test_over_http_a_request_without_a_key_is_refused(address: str, headers: dict[str, str]) -> None:
    answer = httpx.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["code"] == "no_key"


def test_over_http_headers_that_never_end_are_cut_off(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest_assets.network.header_deadline.HEADERS_S", 0.1)
    with socket.create_connection(("127.0.0.1", int(address.split(":")[2].partition("/")[0])), timeout=30) as client:
        client.sendall(b"POST /mcp HTTP/1.1\r\nHost: x\r\n")
        assert client.recv(100) == b""


def test_a_service_that_is_away_is_said_to_the_assistant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_server, "_TRIES", 1)

    async def ask() -> CallToolResult:
        async with Client(mcp_server.make_server(AssistantTools("http://127.0.0.1:1", key=""))) as client:
            return await client.call_tool("list_files", {})

    assert "try again later" in told(asyncio.run(ask()))


def test_parts_end_at_lines_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_server, "PART_CHARACTERS", 10)
    text = "one\ntwo\nthree four five six\nseven"
    parts = list(parts_of(text[at : at + 3] for at in range(0, len(text), 3)))
    assert parts == ["one\ntwo\n", "three four", " five six\n", "seven"]
    assert list(parts_of([])) == []

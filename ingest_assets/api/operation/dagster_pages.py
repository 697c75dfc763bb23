"""Show Dagster's own pages to operators, below /dagster: pages, GraphQL and the web sockets of its live views.

Dagster's web server has no sign-in. It listens on this machine alone (`ingest up`) or inside of a private network, and
this service passes on what callers of the role admin ask. The web server has to be started with the same path
(`--path-prefix /dagster`), because its pages name their parts by it. No key and no session is passed on to it.

A browser's session needs no token here, because Dagster's pages cannot send one: its cookie goes to no request of
another site, and a request that changes something must name this service as its origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.websockets import WebSocketDisconnect, WebSocketState

from ingest_assets.access.callers import KeyRole
from ingest_assets.api.callers import AdminDep, Requires, ServiceDep, caller_of, service_of
from ingest_assets.api.problems import ApiProblem
from ingest_assets.api.service import Service
from ingest_assets.errors import OutsideError

if TYPE_CHECKING:
    import httpx
    from websockets.asyncio.client import ClientConnection

router = APIRouter(include_in_schema=False)
_PASSED_ON = {
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "range",
}
_GIVEN_BACK = {
    *("cache-control", "content-disposition", "content-encoding", "content-length", "content-range", "content-type"),
    *("content-security-policy", "etag", "last-modified", "location", "vary"),
}
_ANSWER_S = 120.0
"""How long Dagster may take to answer; its own limit on a statement of its database is 15 s."""
_REFUSED = 1008
"""The code that closes a web socket which its caller may not open (RFC 6455)."""
_FAILED = 1011


@router.api_route("/dagster", methods=["GET", "HEAD"])
@router.api_route("/dagster/{path:path}", methods=["GET", "HEAD", "POST"])
async def dagster(request: Request, service: ServiceDep, _: AdminDep, path: str = "") -> StreamingResponse:
    """Pass a request on, and the answer back as it comes."""
    import httpx

    client = _client(request)
    asked = client.build_request(
        request.method,
        httpx.URL(_address(service, path), query=request.url.query.encode()),
        headers=_kept(request.headers, _PASSED_ON),
        content=await request.body() or None,
    )
    try:
        answer = await client.send(asked, stream=True)
    except httpx.TransportError as error:
        raise _away(service) from error
    # A worker obeys the policy of its own script, and ours would forbid it everything.
    headers = {"Content-Security-Policy": "frame-ancestors 'none'"} | _kept(answer.headers, _GIVEN_BACK)
    return StreamingResponse(answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose))


@router.websocket("/dagster/graphql")
async def dagster_live(socket: WebSocket) -> None:
    """Pass the messages of a live view on in both directions."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    service = service_of(_as_request(socket))
    try:
        caller = await run_in_threadpool(caller_of, _as_request(socket), service)
        Requires(KeyRole.ADMIN)(caller)
    except ApiProblem as problem:
        await socket.close(_REFUSED, problem.code)
        return
    url = _address(service, "graphql").replace("http", "ws", 1)
    protocols = socket.scope.get("subprotocols", [])
    try:
        async with connect(url, subprotocols=protocols or None, proxy=None, max_size=None) as theirs:
            await socket.accept(theirs.subprotocol)
            await _exchange(socket, theirs)
    except (OSError, WebSocketException):
        if socket.client_state is not WebSocketState.DISCONNECTED:
            await socket.close(_FAILED, "component_away")


async def _exchange(ours: WebSocket, theirs: ClientConnection) -> None:
    """Pass messages on until one side closes."""

    async def to_dagster() -> None:
        with suppress(WebSocketDisconnect):
            while True:
                await theirs.send(await ours.receive_text())

    async def to_the_browser() -> None:
        async for message in theirs:
            await ours.send_text(message if isinstance(message, str) else message.decode())

    both = [asyncio.create_task(to_dagster()), asyncio.create_task(to_the_browser())]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
    if ours.client_state is WebSocketState.CONNECTED and ours.application_state is WebSocketState.CONNECTED:
        await ours.close()


def _as_request(socket: WebSocket) -> Request:
    """Return the request for a web socket as a POST, because what is sent through it later may change something."""
    return Request({**socket.scope, "type": "http", "method": "POST"})


def _address(service: Service, path: str) -> str:
    return f"{service.settings.dagster_address}{service.settings.root_path}/dagster/{quote(path)}"


def _kept(headers: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in names}


def _client(request: Request) -> httpx.AsyncClient:
    """Return the connections to Dagster's web server, which are opened when they are first used."""
    import httpx

    state = request.app.state
    if not hasattr(state, "dagster_client"):
        state.dagster_client = httpx.AsyncClient(timeout=_ANSWER_S, trust_env=False)
    client = state.dagster_client
    assert isinstance(client, httpx.AsyncClient)
    return client


async def close_connections(state: object) -> None:
    """Close the connections of an application that ends."""
    client = getattr(state, "dagster_client", None)
    if client is not None:
        await client.aclose()


def _away(service: Service) -> OutsideError:
    return OutsideError(
        f"Dagster's web server does not answer at {service.settings.dagster_address}; `ingest up` starts one, and "
        "INGEST_DAGSTER_URL names another"
    )

"""Guard every request at the door: its size and its pauses, the headers of its answer, its line in the log.

They are plain ASGI, below FastAPI, so that they hold for every route and for bodies that are read piece by piece. The
log names the route, never the path or the query, which hold names of files and questions.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest_assets.api.figures import ServiceFigures
from ingest_assets.api.problems import ApiProblem, response_to
from ingest_assets.api.tracing import note_request

PAUSE_S = 30.0
"""A client that sends nothing of a body for so long is cut off."""
_log = logging.getLogger("ingest_assets.api.access")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every answer; a route that shows a page sets its own."""


class RequestLog:
    """Give each request an id, and write one line and count it when it has been answered."""

    def __init__(self, app: ASGIApp, *, figures: ServiceFigures) -> None:
        """Take what answers the request, and what counts it."""
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = secrets.token_hex(8)
        trace_id = note_request(request_id)
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self._figures.begin_request()
        try:
            await self._app(scope, receive, sending)
        finally:
            route, took_s = getattr(scope.get("route"), "path", ""), time.monotonic() - began
            self._figures.end_request(method=scope["method"], route=route, status=status, seconds=took_s)
            fields = {
                "request_id": request_id,
                "method": scope["method"],
                "route": route,
                "status": status,
                "seconds": round(took_s, 4),
                "key_id": state.get("key_id", ""),
                **({"job_id": state["job_id"]} if "job_id" in state else {}),
                **({"trace_id": trace_id} if trace_id else {}),
            }
            _log.info("%s %s %s", scope["method"], route or "(no route)", status, extra={"fields": fields})


class BodyLimit:
    """Refuse a body that is too large or that stops arriving."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int], pause_s: float = PAUSE_S) -> None:
        """Take the largest body, those of some paths by the path's beginning, and how long a client may pause."""
        self._app = app
        self._max_bytes, self._larger, self._pause_s = max_bytes, dict(larger), pause_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        read_bytes, is_begun, is_read = 0, False, False

        async def receiving() -> Message:
            nonlocal read_bytes, is_read
            if is_read:  # what is awaited now is the end of the connection, which may take as long as the answer
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._pause_s)
            except TimeoutError:
                raise ApiProblem(
                    408, "too_slow", f"nothing of the body came for {self._pause_s:.0f} s", headers=_CLOSE
                ) from None
            if message["type"] == "http.request":
                read_bytes += len(message.get("body", b""))
                is_read = not message.get("more_body", False)
                if read_bytes > limit:
                    raise _too_large(limit)
            return message

        async def sending(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            if _declared(scope) > limit:
                raise _too_large(limit)
            await self._app(scope, receiving, sending)
        except ApiProblem as problem:
            if is_begun:
                raise
            answer = response_to(problem, request_id=scope.get("state", {}).get("request_id", ""))
            await answer(scope, receive, send)

    def _limit(self, path: str) -> int:
        return next((limit for start, limit in self._larger.items() if path.startswith(start)), self._max_bytes)


_CLOSE = {"Connection": "close"}


def _declared(scope: Scope) -> int:
    """Return the size of the body that the client announces; 0 where it announces none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _too_large(limit: int) -> ApiProblem:
    return ApiProblem(413, "too_large", f"the body has more than {limit / 1e6:g} MB; send less at once", headers=_CLOSE)

"""Carry out a POST with an `Idempotency-Key` once, and answer it again when it is sent again.

A route of this class does so for a body that is read whole and an answer of one piece. Uploads, whose body is not in
memory, keep their answer in the transaction that keeps the files (`intake.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from anyio import CancelScope, to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from ingest_assets.api.callers import caller_of, service_of
from ingest_assets.uploads.idempotency import FirstAnswer, RequestKey, request_key

HEADER = "Idempotency-Key"
TAKES_NO_KEY = ("/session",)
"""Paths whose POSTs are carried out each time: the answer to a sign-in holds a secret, which is kept nowhere."""
REPLAYED = {"Idempotency-Replayed": "true"}
_JSON = "application/json"


class IdempotentRoute(APIRoute):
    """A route whose POSTs are carried out once for each key of a caller."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if HEADER not in request.headers or request.method != "POST":
                return await handle(request)
            key = await self._key(request)
            requests = service_of(request).requests
            first = await to_thread.run_sync(requests.begin, key)
            if first is not None:
                return json_answer(first, REPLAYED)
            try:
                response = await handle(request)
            except BaseException:
                with CancelScope(shield=True):
                    await to_thread.run_sync(requests.forget, key)
                raise
            if response.status_code < 500 and response.headers.get("content-type") == _JSON:
                kept = FirstAnswer(response.status_code, bytes(response.body).decode())
                await to_thread.run_sync(requests.keep, key, kept)
            else:
                await to_thread.run_sync(requests.forget, key)
            return response

        return answer

    async def _key(self, request: Request) -> RequestKey:
        caller = await to_thread.run_sync(caller_of, request, service_of(request))
        asked = f"{request.url.path}?{request.url.query}\n".encode() + await request.body()
        digest = hashlib.sha256(asked).hexdigest()
        return request_key(request.headers[HEADER], caller=caller.key_id, route=f"POST {self.path}", digest=digest)


def json_answer(answer: FirstAnswer, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response of an answer."""
    return Response(answer.body, answer.status, headers, _JSON)

"""Answer every error with a problem document (RFC 9457): what is wrong, where, what to do, and a code for programs.

Codes never change their meaning. `docs/api.md` lists them. No document holds a stack trace or what a file contains.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ingest_assets.access.callers import Forbidden
from ingest_assets.buckets.contract import NameTaken
from ingest_assets.errors import BadInput, ConfigError, IngestError, OutsideError
from ingest_assets.uploads.idempotency import OtherRequest, StillRunning
from ingest_assets.uploads.multipart_reader import NoForm, TooMuch

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 10
"""When a client should ask again while a component is away, in seconds."""
_log = logging.getLogger(__name__)
_OF_UPLOADS: tuple[tuple[type[IngestError], int, str], ...] = (
    (NameTaken, 409, "name_taken"),
    (StillRunning, 409, "request_running"),
    (TooMuch, 413, "too_large"),
    (NoForm, 415, "unsupported_media_type"),
    (OtherRequest, 422, "idempotency_key_reused"),
)
_UNREADABLE = "body: JSON that cannot be read, with a number or a nesting that is too long; send less in one value"
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


class ProblemDocument(BaseModel):
    """What is wrong, for people and for programs."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`urn:ingest_assets:problem:` with the code behind it")
    title: str
    status: int
    detail: str = Field(description="what is wrong, where, and what to do")
    code: str = Field(description="what is wrong, for programs")
    instance: str = Field(default="", description="id of the request, as the log names it")


class ApiProblem(Exception):
    """A request that cannot be answered as it was meant."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """Take the HTTP status, the code, what is wrong with what to do, and further members of the document."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = dict(headers or {}), members


def too_many(code: str, detail: str, *, retry_after_s: float) -> ApiProblem:
    """Return the problem of a caller that asks for too much at once; `retry_after_s` is when to ask again."""
    return ApiProblem(429, code, detail, headers={"Retry-After": str(max(1, math.ceil(retry_after_s)))})


def problem_of(error: IngestError) -> ApiProblem:
    """Return the problem that stands for one of our errors."""
    if isinstance(error, Forbidden):
        return ApiProblem(403, "forbidden", str(error))
    for kind, status, code in _OF_UPLOADS:
        if isinstance(error, kind):
            return ApiProblem(status, code, str(error))
    if isinstance(error, BadInput):
        return ApiProblem(400, "bad_input", str(error))
    if isinstance(error, OutsideError):
        return ApiProblem(503, "component_away", str(error), headers={"Retry-After": str(RETRY_AFTER_S)})
    assert isinstance(error, ConfigError), error
    return ApiProblem(500, "wrong_settings", str(error))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the API's description says of answers that are problems, for these statuses and the usual ones."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    usual = {
        400: "wrong request",
        401: "no key, or one that is not in force",
        403: "the key does not allow it",
        429: "too many requests; ask again after Retry-After seconds",
        503: "a component is away; ask again after Retry-After seconds",
    }
    further = {404: "not there", 409: "in conflict with what is there", 413: "too large", 415: "another media type"}
    further[422] = "the Idempotency-Key was used for another request"
    wanted = usual | {status: further[status] for status in statuses}
    return {status: {"description": text, "content": content} for status, text in sorted(wanted.items())}


def install(app: FastAPI) -> None:
    """Have an application answer every error with a problem document."""
    app.add_exception_handler(ApiProblem, _on_problem)
    app.add_exception_handler(IngestError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_gone)
    app.add_exception_handler(Exception, _on_defect)


def response_to(problem: ApiProblem, *, request_id: str) -> JSONResponse:
    """Return the answer that holds a problem document."""
    title = problem.code.replace("_", " ").capitalize()
    document = {
        "type": f"urn:ingest_assets:problem:{problem.code}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "instance": f"urn:ingest_assets:request:{request_id}",
        **problem.members,
    }
    return JSONResponse(document, problem.status, problem.headers, MEDIA_TYPE)


def _answer(request: Request, problem: ApiProblem) -> JSONResponse:
    return response_to(problem, request_id=getattr(request.state, "request_id", ""))


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiProblem)
    return _answer(request, error)


async def _on_our_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IngestError)
    problem = problem_of(error)
    if problem.status >= 500:
        _log.warning("%s: %s", problem.code, error)
    return _answer(request, problem)


async def _on_wrong_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_wrong_part(request, found) for found in error.errors()]
    detail = "; ".join(f"{found['where']}: {found['what']}" for found in errors[:5])
    return _answer(request, ApiProblem(400, "wrong_request", detail, errors=errors[:20]))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "wrong_request" if error.status_code < 500 else "defect")
    return _answer(request, ApiProblem(error.status_code, code, _said_of(request, error), headers=error.headers))


async def _on_gone(request: Request, error: Exception) -> JSONResponse:
    """End the request of a client that hung up; it is no defect, and only the log and the figures see the answer."""
    return _answer(request, ApiProblem(400, "bad_input", "the body: it ends early; send it again"))


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    """Say that the service has a defect; the log has the rest, under the request's id."""
    _log.error("defect: %s", type(error).__name__, exc_info=error)
    return _answer(
        request, ApiProblem(500, "defect", "the service has a defect; its log says more under this request's id")
    )


def _said_of(request: Request, error: HTTPException) -> str:
    """Say in our words what FastAPI refuses in one of its own."""
    if error.status_code == 404:
        return f"{request.url.path[:200]!r}: the service has no such path; docs/api.md names all of them"
    if error.status_code == 405:
        taken = (error.headers or {}).get("Allow", "another method")
        return f"{request.url.path[:200]!r}: it does not take {request.method}; send {taken}"
    if error.status_code == 400 and isinstance(error.__cause__, UnicodeDecodeError):
        return f"body: no valid UTF-8 at byte {error.__cause__.start + 1}; send JSON in UTF-8"
    return _UNREADABLE if error.status_code == 400 and error.__cause__ is not None else str(error.detail)


def _wrong_part(request: Request, found: Mapping[str, Any]) -> dict[str, str]:
    """Say where a request is wrong and what to do; FastAPI's own words on a body are for its own users."""
    if found["type"] == "json_invalid":
        why = found.get("ctx", {}).get("error", "it is not JSON")
        return {"where": "body", "what": f"no valid JSON at character {found['loc'][-1]} ({why}); correct it"}
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if tuple(found["loc"]) == ("body",) and found["type"] != "missing" and not sent.endswith("json"):
        return {"where": "body", "what": "Content-Type is not application/json; send JSON, and name it so"}
    return {"where": _place(found["loc"]), "what": found["msg"]}


def _place(path: Sequence[Any]) -> str:
    return ".".join(str(part) for part in path)

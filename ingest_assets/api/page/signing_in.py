"""Begin and end the sessions of people who sign in on the page with a key, and say who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import or_, select

from ingest_assets.access.callers import EVERYTHING, Caller
from ingest_assets.api.admission.sessions import SESSION_S, csrf_token_of
from ingest_assets.api.callers import (
    SESSION_COOKIE,
    ReaderDep,
    ServiceDep,
    require_own_page,
    throttle_guesses,
)
from ingest_assets.api.page.host import rows_of
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.api.service import Service
from ingest_assets.index.file_table import c

router = APIRouter(tags=["page"], responses=documented())
_MOST_PROJECTS = 500


class SignIn(BaseModel):
    """The key of a person who signs in."""

    key: Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project that has files."""

    user_id: str
    project_id: str


@dataclass(frozen=True, slots=True)
class SessionState:
    """Who is signed in, and what the page has to know."""

    role: str
    key_id: str
    """Empty for a caller that needs no key."""
    scopes: list[str]
    """`USER`, `USER/PROJECT` or `*`."""
    projects: list[KnownProject]
    """Projects that the caller may see: those of the key, and those that have files; 500 at most."""
    csrf_token: str
    """To be sent as `X-CSRF-Token` with every request that changes something; empty without a session."""
    max_files_per_upload: int
    max_file_mb: int


@router.post("/session", summary="Sign in with a key", status_code=201)
def sign_in(body: SignIn, request: Request, response: Response, service: ServiceDep) -> SessionState:
    """Begin a session. Its cookie cannot be read by scripts and is not sent along from other sites."""
    require_own_page(request)
    throttle_guesses(request, service)
    caller = service.keys.caller(body.key.strip())
    if caller is None:
        raise ApiProblem(401, "no_key", "the key is unknown, expired or revoked; ask the operator for another")
    cookie = service.sessions.begin(caller)
    response.set_cookie(
        SESSION_COOKIE,
        cookie,
        max_age=SESSION_S,
        path=service.settings.root_path or "/",
        secure=_is_encrypted(request),
        httponly=True,
        samesite="strict",
    )
    return _state(service, caller, csrf_token=csrf_token_of(cookie))


@router.get("/session", summary="Who is signed in")
def session(request: Request, service: ServiceDep, caller: ReaderDep) -> SessionState:
    """Say who calls, and give the token of the session."""
    cookie = getattr(request.state, "session_cookie", "")
    return _state(service, caller, csrf_token=csrf_token_of(cookie) if cookie else "")


@router.delete("/session", summary="Sign out", status_code=204)
def sign_out(request: Request, response: Response, service: ServiceDep, _: ReaderDep) -> None:
    """End the session of the request's cookie."""
    service.sessions.end(request.cookies.get(SESSION_COOKIE, ""))
    response.delete_cookie(SESSION_COOKIE, path=service.settings.root_path or "/")


def _is_encrypted(request: Request) -> bool:
    """Tell whether the browser speaks HTTPS; a proxy says so, and who lies about it locks only himself out."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "").lower()}


def _state(service: Service, caller: Caller, *, csrf_token: str) -> SessionState:
    return SessionState(
        role=str(caller.role),
        key_id=caller.key_id,
        scopes=[str(scope) for scope in caller.scopes],
        projects=_projects(service, caller),
        csrf_token=csrf_token,
        max_files_per_upload=service.settings.max_files_per_upload,
        max_file_mb=service.settings.max_file_mb,
    )


def _projects(service: Service, caller: Caller) -> list[KnownProject]:
    wanted = or_(*map(rows_of, caller.scopes))
    query = select(c.user_id, c.project_id).where(c.user_id != "", wanted).distinct()
    with service.project.database.begin(writes=False) as connection:
        rows = connection.execute(query.order_by(c.user_id, c.project_id).limit(_MOST_PROJECTS)).all()
    named = {(scope.user_id, scope.project_id) for scope in caller.scopes if scope.project_id != EVERYTHING}
    found = sorted(named | {(row.user_id, row.project_id) for row in rows})
    return [KnownProject(user_id, project_id) for user_id, project_id in found]

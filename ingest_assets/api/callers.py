"""Find out who makes a request, and give endpoints the caller, the service and its parts.

A request proves itself by a key (`Authorization: Bearer`, or `X-API-Key`), or by the session of the page. Without any
key in the whole service, this machine is let in; networks of INGEST_OPEN_TO always are. Pages of other sites must not
use either: a browser sends them along for any page that a person opens.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request

from ingest_assets.access.callers import ALL, Caller, KeyRole
from ingest_assets.access.networks import is_local_name, peer_of
from ingest_assets.api.admission.scoping import OwnerName, scope_of
from ingest_assets.api.admission.sessions import csrf_token_of
from ingest_assets.api.problems import ApiProblem
from ingest_assets.api.service import Service
from ingest_assets.ledger_records import Scope

SESSION_COOKIE = "ingest_session"
CSRF_HEADER = "x-csrf-token"

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def service_of(request: Request) -> Service:
    """Return the service that the application was made for."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDep = Annotated[Service, Depends(service_of)]


def require_each_once(request: Request) -> None:
    """Refuse a parameter that is sent twice: what stands before the service might have read the other value.

    Raises:
        ApiProblem: 400, naming it.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise ApiProblem(400, "wrong_request", f"query.{name[:100]}: it was sent twice; send it once")


def caller_of(request: Request, service: ServiceDep) -> Caller:
    """Return who makes a request, and count the request.

    Raises:
        ApiProblem: 401 without a key that is in force, 403 from a page of another site, 429 for one request too many.
    """
    known = getattr(request.state, "caller", None)
    if isinstance(known, Caller):  # `IdempotentRoute` has asked before
        return known
    caller = request.state.caller = _proven(request, service)
    service.throttle.count(caller.key_id or _address(request))
    request.state.key_id = caller.key_id
    return caller


def _proven(request: Request, service: Service) -> Caller:
    if key := _sent_key(request):
        caller = service.caller_on_this_machine(key) or service.keys.caller(key)
        if caller is None:
            throttle_guesses(request, service)
            raise _unknown("the key is unknown, expired or revoked; ask the operator for another")
        return caller
    if caller := _signed_in(request, service):
        return caller
    peer = peer_of(_address(request), request.headers, trusted=service.trusted_proxies)
    if peer.is_in(service.open_to):
        require_own_page(request)
        return Caller(KeyRole.WRITE, ALL)
    if service.keys.is_empty() and peer.is_this_machine:
        if not is_local_name(request.headers.get("host", "")):
            raise _unknown("without a key the service answers to the names localhost and 127.0.0.1 only")
        require_own_page(request)
        return Caller(KeyRole.ADMIN, ALL)
    raise _unknown("send a key as `Authorization: Bearer ia_…`; the operator makes one with `ingest keys add`")


def _signed_in(request: Request, service: Service) -> Caller | None:
    """Return who has signed in on the page; None without a session that is in force.

    Raises:
        ApiProblem: 403, another page than ours makes the browser send the cookie.
    """
    cookie = request.cookies.get(SESSION_COOKIE, "")
    caller = service.sessions.caller(cookie) if cookie else None
    if caller is None:
        return None
    require_own_page(request)
    if request.method not in _SAFE_METHODS and not _is_sent_by_own_page(request, cookie):
        raise ApiProblem(403, "foreign_page", "X-CSRF-Token is not that of the session; load the page again")
    request.state.session_cookie = cookie
    return caller


def _is_sent_by_own_page(request: Request, cookie: str) -> bool:
    """Tell whether the session's token proves a request; of Dagster's pages, which know no token, the origin does."""
    if request.scope["path"].startswith(f"{request.scope.get('root_path', '')}/dagster/"):
        return bool(request.headers.get("origin"))  # `require_own_page` has found it to be ours
    sent = request.headers.get(CSRF_HEADER, "")
    return hmac.compare_digest(sent.encode(), csrf_token_of(cookie).encode())


def throttle_guesses(request: Request, service: Service) -> None:
    """Count a key that an address tries, so that keys cannot be guessed quickly.

    Raises:
        ApiProblem: 429, it is one too many.
    """
    service.throttle.count(f"refused {_address(request)}")


def _sent_key(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key", "").strip()


def require_own_page(request: Request) -> None:
    """Refuse what a page of another site asks the browser of a person on this network to do.

    Raises:
        ApiProblem: the browser says that another site asks.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    is_foreign = site not in {"same-origin", "none"} or (
        bool(origin) and origin.partition("://")[2] != request.headers.get("host", "")
    )
    if is_foreign and (request.method not in _SAFE_METHODS or site == "cross-site"):
        raise ApiProblem(403, "foreign_page", "a page of another site may not call the service without a key")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _unknown(detail: str) -> ApiProblem:
    return ApiProblem(401, "no_key", detail, headers={"WWW-Authenticate": "Bearer"})


class Requires:
    """A dependency: the caller, who has at least this role."""

    def __init__(self, role: KeyRole) -> None:
        """Take the role."""
        self._role = role

    def __call__(self, caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        """Return the caller.

        Raises:
            ApiProblem: 403, the caller's role is a smaller one.
        """
        if caller.role < self._role:
            raise ApiProblem(403, "role_needed", f"the key may {caller.role}; this needs one that may {self._role}")
        return caller


ReaderDep = Annotated[Caller, Depends(Requires(KeyRole.READ))]
WriterDep = Annotated[Caller, Depends(Requires(KeyRole.WRITE))]
AdminDep = Annotated[Caller, Depends(Requires(KeyRole.ADMIN))]


def _readers_scope(caller: ReaderDep, user_id: OwnerName = "", project_id: OwnerName = "") -> Scope:
    return scope_of(caller, user_id=user_id, project_id=project_id)


def _writers_scope(caller: WriterDep, user_id: OwnerName = "", project_id: OwnerName = "") -> Scope:
    return scope_of(caller, user_id=user_id, project_id=project_id)


ReadScopeDep = Annotated[Scope, Depends(_readers_scope)]
"""The project that a request is about, whose caller may read in it."""
WriteScopeDep = Annotated[Scope, Depends(_writers_scope)]
"""The project that a request is about, whose caller may write in it."""

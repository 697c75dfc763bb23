"""Give the API's description (OpenAPI) to operators, as a document and as two pages.

The pages are Swagger UI and Redoc, whose scripts come with a package and from this service, never from other hosts.
Both write style sheets into the page, so their content security policy allows that, and no other script than ours.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from ingest_assets.api.callers import AdminDep
from ingest_assets.api.problems import ApiProblem, documented

router = APIRouter(tags=["operation"], responses=documented())
_OURS = Path(__file__).with_name("pages")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_SCRIPTS = ("docs.js", "redoc.js")
_OF_THE_PACKAGE = ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js")


@router.get("/openapi.json", summary="The description of this API")
def openapi(request: Request, _: AdminDep) -> JSONResponse:
    """Return the OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs", summary="The description as a page to try it", response_class=Response, responses=_HTML)
def docs(_: AdminDep) -> Response:
    """Return Swagger UI."""
    return _page("docs.html")


@router.get("/redoc", summary="The description as a page to read", response_class=Response, responses=_HTML)
def redoc(_: AdminDep) -> Response:
    """Return Redoc."""
    return _page("redoc.html")


@router.get("/docs/{name}", include_in_schema=False)
def docs_file(name: str, _: AdminDep) -> Response:
    """Return a script or a style sheet of the two pages."""
    if name in _SCRIPTS:
        return FileResponse(_OURS / name, headers={"Cache-Control": "no-cache"})
    if name in _OF_THE_PACKAGE:
        path = Path(str(files("fastapi_offline") / "static" / name))
        return FileResponse(path, headers={"Cache-Control": "private, max-age=86400"})
    raise ApiProblem(404, "not_found", "the pages have no such file")


def _page(name: str) -> Response:
    return FileResponse(_OURS / name, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})

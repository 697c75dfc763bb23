"""Show the page for people to browsers, and name the parts of the API to programs that ask for `/`.

The page is a folder of ES modules and style sheets (`static/`) that browsers run as they are: no build, nothing from
other hosts. Its content security policy allows our own files alone, and `require-trusted-types-for` makes the browser
refuse every text that would be read as HTML, so a file's name or a caption stays text.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).with_name("static")
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
router = APIRouter(tags=["page"])


@dataclass(frozen=True, slots=True)
class ServiceLinks:
    """The service and where its parts are, below its own address."""

    name: str
    version: str
    links: dict[str, str]


class PageFiles(StaticFiles):
    """The page's modules and style sheets; a browser asks whether they have changed each time that it loads them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


@router.get(
    "/",
    summary="The page for people, or links for programs",
    response_model=ServiceLinks,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def front(request: Request) -> Response:
    """Answer with the page where the client accepts HTML."""
    headers = {"Vary": "Accept"}
    if "text/html" in request.headers.get("accept", ""):
        headers |= {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
        return FileResponse(STATIC / "index.html", headers=headers)
    links = {"health": "health", "readiness": "ready", "description": "openapi.json"}
    answer: dict[str, Any] = {"name": "ingest_assets", "version": version("ingest-assets"), "links": links}
    return JSONResponse(answer, headers=headers)

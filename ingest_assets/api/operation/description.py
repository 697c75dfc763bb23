"""Give the API's description (OpenAPI) to operators."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ingest_assets.api.callers import AdminDep
from ingest_assets.api.problems import documented

router = APIRouter(tags=["operation"], responses=documented())


@router.get("/openapi.json", summary="The description of this API")
def openapi(request: Request, _: AdminDep) -> JSONResponse:
    """Return the OpenAPI document."""
    return JSONResponse(request.app.openapi())

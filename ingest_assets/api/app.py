"""Put the service together: its endpoints, its guards, and its description for programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from ingest_assets.api import problems
from ingest_assets.api.callers import require_each_once
from ingest_assets.api.documents import files, reading, searching
from ingest_assets.api.guards import BodyLimit, RequestLog
from ingest_assets.api.idempotency import HEADER, TAKES_NO_KEY
from ingest_assets.api.incoming import chunks, ingest_file, presigning, uploads
from ingest_assets.api.operation import dagster_pages, description, health, metrics
from ingest_assets.api.page import front_page, host, signing_in
from ingest_assets.api.service import Service

ROUTERS = (
    health.router,
    metrics.router,
    host.router,
    uploads.router,
    ingest_file.router,
    presigning.router,
    files.router,
    chunks.router,
    reading.router,
    front_page.router,
    signing_in.router,
    searching.router,
    description.router,
)
"""The endpoints, in the order of the API's description."""
_MAX_BODY_BYTES = 1_000_000
_MB = 1_000_000


def make_app(service: Service) -> FastAPI:
    """Return the application that answers for one service; it opens the service when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.open)
        yield
        await dagster_pages.close_connections(app.state)
        await asyncio.to_thread(service.close)

    settings = service.settings
    app = FastAPI(
        title="ingest_assets",
        version=version("ingest-assets"),
        summary="Files in, answers with pages to cite out.",
        root_path=settings.root_path,
        telemetry=service.traces.of_requests,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(require_each_once)])
    app.include_router(dagster_pages.router)  # it passes on what Dagster judges by its own rules
    app.mount("/static", front_page.PageFiles(directory=front_page.STATIC), name="static")
    problems.install(app)
    _guard(app, service)
    app.openapi = lambda: _description(app)  # type: ignore[method-assign]  # FastAPI's documented way to change it
    return app


def _guard(app: FastAPI, service: Service) -> None:
    """Put before the endpoints what looks at every request."""
    settings = service.settings
    larger = {"/upload": settings.max_files_per_upload * settings.max_file_mb * _MB + _MB, "/api/entities/": 64 * _MB}
    app.add_middleware(BodyLimit, max_bytes=_MAX_BODY_BYTES, larger=larger)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins.split(","),
            allow_methods=["*"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(RequestLog, figures=service.figures)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _description(app: FastAPI) -> dict[str, Any]:
    """Describe the API, with the problem document in the place of FastAPI's own error body."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes, servers=app.servers
        )
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["ProblemDocument"] = problems.ProblemDocument.model_json_schema()
        for path, operations in found["paths"].items():
            for operation in operations.values():
                if problems.MEDIA_TYPE not in operation["responses"].get("422", {}).get("content", {}):
                    operation["responses"].pop("422", None)
            if "post" in operations and path not in TAKES_NO_KEY:
                _describe_idempotency(operations["post"])
        app.openapi_schema = found
    return app.openapi_schema


def _describe_idempotency(operation: dict[str, Any]) -> None:
    """Describe the header that every POST takes."""
    parameters = operation.setdefault("parameters", [])
    if not any(parameter["name"].lower() == HEADER.lower() for parameter in parameters):
        described = {"type": "string", "minLength": 1, "maxLength": 255}
        parameters.append({"name": HEADER, "in": "header", "required": False, "schema": described})

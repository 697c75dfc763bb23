"""Show the figures of the service and of all runs to Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ingest_assets.api.callers import AdminDep, ServiceDep
from ingest_assets.api.problems import documented

router = APIRouter(tags=["operation"], responses=documented())


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}},
)
def metrics(service: ServiceDep, _: AdminDep) -> Response:
    """Return queue, runs, stages, store and requests in Prometheus' text format."""
    return Response(service.figures.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

"""Add the assets, jobs, sensors and schedules of this project to another Dagster project with a `defs.yaml`."""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from ingest_assets.config.settings import load_settings
from ingest_assets.defs.definitions import build


class IngestAssetsComponent(dg.Component, dg.Model, dg.Resolvable):
    """Turns files that arrive in a bucket into searchable chunks in Chroma, PGVector or MongoDB.

    Adds five assets with one partition per file, their checks, the jobs, the sensors that notice files, and the
    schedules of the night.
    """

    settings: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Settings by the names of their environment variables, such as INGEST_BUCKET or INGEST_STORE. "
        "What is not named here is read from the environment. Give a password as {{ env.NAME }}.",
        examples=[{"INGEST_BUCKET": "/srv/uploads", "INGEST_STORE": "pgvector", "INGEST_PGVECTOR": "{{ env.PG_URL }}"}],
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the component to Dagster's tools."""
        return dg.ComponentTypeSpec(produces=["asset", "asset_check", "job", "sensor", "schedule", "resource"])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Wire everything for these settings."""
        return build(load_settings({name: str(value) for name, value in self.settings.items()}), executor=None)

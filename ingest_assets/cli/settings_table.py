"""Settings in, a row for each out, as `ingest config` shows them; no password among them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ingest_assets.config.problems import redacted
from ingest_assets.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as `ingest config` shows it."""

    name: str
    value: str
    meaning: str
    came_from: str


def table(settings: Settings) -> list[Row]:
    """List every setting with its value, its meaning and where the value came from."""
    return [
        Row(
            name=str(field.validation_alias),
            value=redacted(str(value)) if (value := getattr(settings, name)) is not None else "",
            meaning=field.description or "",
            came_from="environment" if os.environ.get(str(field.validation_alias)) else "default",
        )
        for name, field in Settings.model_fields.items()
    ]

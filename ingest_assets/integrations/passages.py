"""Describe a hit by flat fields, as the retrievers of other libraries carry them."""

from __future__ import annotations

from typing import Any

from ingest_assets.client.answers import ServiceHit


def described(hit: ServiceHit) -> dict[str, Any]:
    """Return what is known of a passage beside its text; a client's own field of the same name gives way."""
    return {
        **hit.metadata,
        "file_id": hit.file.file_id,
        "user_id": hit.file.user_id,
        "project_id": hit.file.project_id,
        "filename": hit.file.filename,
        "media_type": hit.file.media_type,
        "pages": list(hit.pages),
        "section": list(hit.section),
    }

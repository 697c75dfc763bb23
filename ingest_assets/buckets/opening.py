"""Open the bucket that the settings name: a folder, by its path or a file:// URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError


def open_bucket(settings: Settings) -> Bucket:
    """Open the bucket of these settings; nothing is read or connected yet.

    Raises:
        ConfigError: the scheme is not known.
    """
    parts = urlsplit(settings.bucket)
    if parts.scheme not in {"", "file"}:
        raise ConfigError(f"INGEST_BUCKET: {parts.scheme}:// buckets are not supported yet; give a folder or file://")
    return FolderBucket(Path(unquote(parts.path) if parts.scheme else settings.bucket))

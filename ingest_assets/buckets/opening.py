"""Open the bucket that the settings name: a folder, or the objects below a prefix of S3 or Google Cloud Storage."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.default_scope import DefaultScopeBucket
from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.buckets.gcs import GcsObjects
from ingest_assets.buckets.object_store import ObjectStore
from ingest_assets.buckets.objects import ObjectBucket
from ingest_assets.buckets.s3 import S3Objects
from ingest_assets.buckets.spool import Spool
from ingest_assets.config.settings import Settings
from ingest_assets.file_ids import nfc


def open_bucket(settings: Settings) -> Bucket:
    """Open the bucket of these settings; nothing is read or connected yet."""
    bucket = _open_place(settings)
    return DefaultScopeBucket(bucket, nfc(settings.default_scope)) if settings.default_scope else bucket


def _open_place(settings: Settings) -> Bucket:
    objects = open_objects(settings.bucket, endpoint=settings.s3_endpoint)
    if objects is not None:
        return ObjectBucket(objects, spool=Spool(settings.spool, max_bytes=settings.spool_mb * 1_000_000))
    parts = urlsplit(settings.bucket)
    return FolderBucket(Path(unquote(parts.path) if parts.scheme else settings.bucket))


def open_objects(url: str, *, endpoint: str) -> ObjectStore | None:
    """Open the objects below an s3:// or gs:// URL; None if it is a folder's."""
    scheme, _, rest = url.rpartition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3":
        return S3Objects(bucket, prefix, endpoint=endpoint)
    if scheme == "gs":
        return GcsObjects(bucket, prefix)
    return None

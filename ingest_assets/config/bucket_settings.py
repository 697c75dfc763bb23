"""Define the settings of the bucket: where files arrive, how changes are noticed, and when missing files are purged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field, field_validator

_BUCKET_NAME = re.compile("[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class BucketSettings(BaseModel):
    """The bucket and the files in it."""

    bucket: str = Field(
        default="",
        validation_alias="INGEST_BUCKET",
        description="where files arrive: a folder, as a path or file:// URL; s3://bucket/prefix; gs://bucket/prefix",
    )
    default_scope: str = Field(
        default="",
        pattern="^([^/]+/[^/]+)?$",
        validation_alias="INGEST_DEFAULT_SCOPE",
        description="USER/PROJECT that files in no user's project belong to; without it they are named and not read",
    )
    s3_endpoint: str = Field(
        default="",
        pattern="^https?://[^@]*$",
        validation_alias="INGEST_S3_ENDPOINT",
        description="s3://: URL of a service that is not AWS (MinIO, Ceph, R2); credentials come from where AWS's do",
    )
    spool: Path = Field(
        default=Path(),
        validation_alias="INGEST_SPOOL",
        description="s3:// and gs://: folder of the copies that are being read, on this host's own disk",
    )
    spool_mb: int = Field(
        default=1024,
        ge=1,
        validation_alias="INGEST_SPOOL_MB",
        description="s3:// and gs://: size of all copies on this host together, in MB; larger files are refused",
    )
    events_queue: str = Field(
        default="",
        pattern="^https?://[^@/?#]+/[^?#]*[^/?#]$",
        validation_alias="INGEST_EVENTS_QUEUE",
        description="s3://: URL of the SQS queue of the bucket's events; without it changes are found by listing",
    )
    locations: str = Field(
        default="",
        pattern=r"^((s3|gs)://[a-z0-9._-]+(/[^,]*)?(, *|$))*$",
        validation_alias="INGEST_LOCATIONS",
        description="places outside of the bucket that requests may have files copied from: s3://bucket/prefix, "
        "gs://bucket/prefix, with commas; empty: none",
    )
    settle_s: float = Field(
        default=5.0,
        ge=0,
        validation_alias="INGEST_SETTLE_S",
        description="how long a file must be unchanged before the sensor starts a run for it, in seconds",
    )
    delete_grace_s: float = Field(
        default=60.0,
        ge=0,
        validation_alias="INGEST_DELETE_GRACE_S",
        description="how long a file must be missing from the bucket before it is purged, in seconds",
    )
    delete_max_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        validation_alias="INGEST_DELETE_MAX_SHARE",
        description="share of a project, or of all files, that may leave the bucket in 24 hours (20 files always may); "
        "more wait for `ingest confirm-deletes`; 1 lets all go",
    )
    source_url: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        validation_alias="INGEST_SOURCE_URL",
        description="web address of the bucket's files, for the links in Dagster's UI: the file's key is put behind it",
    )
    artifacts: str = Field(
        default="",
        validation_alias="INGEST_ARTIFACTS",
        description="where the stages' results lie: a folder; for many hosts s3://bucket/prefix or gs://bucket/prefix",
    )

    @field_validator("spool")
    @classmethod
    def _absolute_spool(cls, folder: Path) -> Path:
        return folder.absolute()

    @field_validator("artifacts")
    @classmethod
    def _absolute_folder(cls, place: str) -> str:
        scheme, mark, rest = place.rpartition("://")
        return f"{scheme}{mark}{rest.rstrip('/')}" if mark else str(Path(place).absolute())

    def bucket_problems(self) -> Iterator[str]:
        """Name what is wrong with the settings of the bucket."""
        places = (
            ("INGEST_BUCKET", self.bucket, "file:// s3:// gs://"),
            ("INGEST_ARTIFACTS", self.artifacts, "s3:// gs://"),
        )
        for name, url, schemes in places:
            scheme, mark, rest = url.rpartition("://")
            if mark and scheme + mark not in schemes.split():
                yield f"{name}: {scheme}:// is not known; give a folder or one of {schemes}"
            elif scheme in {"s3", "gs"} and not _BUCKET_NAME.fullmatch(rest.partition("/")[0]):
                yield f"{name}: write {scheme}://BUCKET/PREFIX, with the name of a bucket and without credentials"
        bucket, artifacts = (f"{url.rstrip('/')}/" for url in (self.bucket, self.artifacts))
        if bucket.startswith(artifacts) or artifacts.startswith(bucket):
            yield "INGEST_ARTIFACTS: it lies in INGEST_BUCKET, or the other way round; give them prefixes side by side"
        if self.events_queue and not self.bucket.startswith("s3://"):
            yield "INGEST_EVENTS_QUEUE: it is set, and INGEST_BUCKET is no s3:// bucket; only those send events to SQS"

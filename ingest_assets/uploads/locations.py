"""Find what a location names: a key of the bucket, or an object outside of it that the operator allows to be copied.

A request that names an object makes this service read it with its own rights, which are wider than the client's. So an
object outside of the bucket is read only below the places in INGEST_LOCATIONS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.object_store import BLOCK_BYTES, ObjectChanged
from ingest_assets.buckets.opening import open_objects
from ingest_assets.buckets.spool import Spool
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import nfc, require_possible_key
from ingest_assets.uploads.names import shown
from ingest_assets.uploads.receiving import ReceivedFile

_SCHEMES = ("s3://", "gs://")


@dataclass(frozen=True, slots=True)
class Location:
    """What a request named."""

    key: str = ""
    """Key in the bucket; empty: the object lies outside of it."""
    url: str = ""
    """URL of an object outside of the bucket."""

    @property
    def name(self) -> str:
        """The last part of the object's name."""
        return (self.key or self.url).rsplit("/", 1)[-1]


def read_location(text: str, *, settings: Settings) -> Location:
    """Read a location.

    Raises:
        BadInput: it is no key and no URL of an object, or lies outside of the bucket where nothing may be read.
    """
    require_possible_key(text)
    bucket = f"{settings.bucket.rstrip('/')}/"
    if text.startswith(_SCHEMES):
        if ".." in text.split("/"):
            raise BadInput(f"location: {shown(text)}: a segment of it is `..`; write the object's own name")
        if text.startswith(bucket):
            return Location(key=nfc(text.removeprefix(bucket)))
        if not any(text.startswith(place) for place in allowed_places(settings.locations)):
            raise BadInput(
                f"location: {shown(text)}: it is outside of the bucket, and in no place of INGEST_LOCATIONS; ask the "
                "operator to add its place"
            )
        if text.endswith("/"):
            raise BadInput(f"location: {shown(text)}: it names a folder; name one object")
        return Location(url=text)
    if "://" in text:
        raise BadInput(f"location: {shown(text)}: write s3://BUCKET/NAME, gs://BUCKET/NAME, or a key of the bucket")
    return Location(key=nfc(text.strip("/")))


def allowed_places(setting: str) -> Sequence[str]:
    """Return the beginnings of the URLs that may be read, each with a slash at its end."""
    return [f"{place.strip().rstrip('/')}/" for place in setting.split(",") if place.strip()]


def copy_into(bucket: Bucket, url: str, key: str, *, settings: Settings) -> ReceivedFile:
    """Copy an object into the bucket, unseen, through the spool of this host.

    Raises:
        BadInput: there is none, it is empty or too large, or its place is no longer allowed.
        OutsideError: one of the two places is away, or the object changed meanwhile.
    """
    read_location(url, settings=settings)
    place, _, name = url.rpartition("/")
    objects = open_objects(place, endpoint=settings.s3_endpoint)
    assert objects is not None, "read_location takes URLs of objects only"
    found = objects.head(name)
    if found is None:
        raise BadInput(f"{url}: there is no such object; put it there first")
    if not found.size_bytes:
        raise BadInput(f"{url}: it is empty")
    if found.size_bytes > settings.max_file_mb * 1_000_000:
        raise BadInput(f"{url}: {found.size_bytes / 1e6:,.1f} MB is more than MAX_FILE_MB ({settings.max_file_mb} MB)")
    spool = Spool(settings.spool, max_bytes=settings.spool_mb * 1_000_000)
    digest, copy = hashlib.sha256(), hashlib.sha256(f"{url}\0{found.version}".encode()).hexdigest()[:32]
    try:
        with spool.copy(
            copy, size_bytes=found.size_bytes, key=key, fill=lambda file: objects.download(found, file)
        ) as path:
            staged = bucket.stage()
            with path.open("rb") as file:
                while block := file.read(BLOCK_BYTES):
                    staged.write(block)
                    digest.update(block)
            staged.finish()
    except ObjectChanged:
        raise OutsideError(f"{url}: it changed while it was copied; it is copied again") from None
    finally:
        spool.release()
    return ReceivedFile(
        sent_as=PurePosixPath(name).name, size_bytes=found.size_bytes, sha256=digest.hexdigest(), staged=staged
    )

"""Let a client put a large file into the bucket by itself, past this service.

The client asks for a signed request, sends the file to S3 with it, and then names the key to `POST /ingest-file`. If it
does not, the bucket's events or the listing notice the file.
"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from ingest_assets.access.quotas import Use
from ingest_assets.api.callers import ServiceDep, WriterDep
from ingest_assets.api.idempotency import IdempotentRoute
from ingest_assets.api.problems import ApiProblem, documented
from ingest_assets.buckets.contract import NameTaken
from ingest_assets.buckets.opening import open_objects
from ingest_assets.buckets.s3 import S3Objects
from ingest_assets.file_ids import file_id_of
from ingest_assets.uploads.form import UploadForm, names_in_bucket
from ingest_assets.uploads.multipart_reader import TooMuch
from ingest_assets.uploads.names import plain_folder, plain_owner

router = APIRouter(tags=["uploads"], route_class=IdempotentRoute)
_MB = 1_000_000
_WITHIN_S = 900
"""A client has so long to begin to send the file."""
_SENT_WITHIN_S = 900
"""And so long to send it and to name it to us: 50 MB at 60 kB/s. Then it no longer counts in the owner's quotas."""


class UploadToSign(BaseModel):
    """A file that the client wants to put into the bucket."""

    model_config = ConfigDict(extra="forbid")

    user_id: str = Field(default="", max_length=255)
    project_id: str = Field(default="", max_length=255)
    filename: str = Field(max_length=255)
    folder: str = Field(default="", max_length=500, description="folder below the project")
    size_bytes: int = Field(gt=0)
    replace: bool = Field(default=False, description="whether it may replace a file of this name")


class SignedUpload(BaseModel):
    """A request that the client sends to S3 with the file as its body."""

    method: str = "PUT"
    url: str
    headers: dict[str, str] = Field(description="sent as they are")
    key: str = Field(description="what to name to `POST /ingest-file` when the file is there")
    expires_in_s: int = _WITHIN_S


@router.post("/uploads/presign", summary="Sign an upload to S3", responses=documented(404, 409, 413, 422))
def presign(service: ServiceDep, caller: WriterDep, wanted: UploadToSign) -> SignedUpload:
    """Sign the upload of one file of the size that is named; only where the bucket lies on S3."""
    settings = service.settings
    objects = open_objects(settings.bucket, endpoint=settings.s3_endpoint)
    if not isinstance(objects, S3Objects):
        raise ApiProblem(404, "not_on_s3", "the bucket does not lie on S3; send the file to POST /upload")
    scope = plain_owner(caller.scope(wanted.user_id, wanted.project_id))
    service.quotas.require_room(scope.user_id)
    if wanted.size_bytes > settings.max_file_mb * _MB:
        raise TooMuch(f"size_bytes: it is more than {settings.max_file_mb} MB (MAX_FILE_MB); split the file")
    folder = plain_folder(wanted.folder)
    form = UploadForm(user_id=scope.user_id, project_id=scope.project_id, folder=folder)
    (key,) = names_in_bucket(form, [wanted.filename])
    found = service.keeping.bucket.stat(key)
    if found is not None and not wanted.replace:
        raise NameTaken(f"{wanted.filename}: the project has a file of this name; set `replace`, or give another name")
    service.quotas.hold_signed(
        scope,
        Use(files=int(found is None), size_bytes=wanted.size_bytes),
        file_id=file_id_of(key),
        within_s=_WITHIN_S + _SENT_WITHIN_S,
    )
    name = found.position if found is not None else key
    signed = objects.presigned_put(name, size_bytes=wanted.size_bytes, within_s=_WITHIN_S, replaces=wanted.replace)
    return SignedUpload(url=signed.url, headers=signed.headers, key=key)

"""Reach the objects of S3, or of a service that speaks like it (MinIO, Ceph, R2), by boto3.

A version is the ETag with the size: it names the bytes, and is a digest of them only for objects that were not
uploaded in parts or encrypted with a key of their owner.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ingest_assets.batches import batches
from ingest_assets.buckets.object_store import BLOCK_BYTES, LABEL, LARGE_BYTES, ObjectChanged, StoredObject
from ingest_assets.buckets.s3_connection import ABSENT, NO_ANSWER_OF_S3, S3Connection, absence, code_of
from ingest_assets.buckets.s3_writer import S3Writer
from ingest_assets.errors import OutsideError

_PAGE = 1000  # the most that one answer lists, and the most that one request deletes
_COPIED_BYTES = 1 << 30  # of one request; S3 takes 5 GiB
_CHANGED = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "NoSuchUpload", "404"}
_DOWNLOADS = 5  # connections for one object: boto3's retries end when the first byte of the body has come
_MD5 = re.compile("[0-9a-f]{32}")


class S3Objects:
    """The objects below a prefix of a bucket of S3."""

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str = "") -> None:
        """Take the bucket, the prefix that all names have before them, and the URL of a service that is not AWS."""
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.place = f"s3://{bucket}/{self.prefix}".rstrip("/")
        self._connection = S3Connection(bucket, place=self.place, endpoint=endpoint)

    def list(self, *, beginning: str = "", after: str = "") -> Iterator[StoredObject]:
        """Yield objects, a thousand to a request; each request begins behind the last name of the one before."""
        start, is_truncated = self.prefix + after if after else "", True
        while is_truncated:
            place = {"Prefix": self.prefix + beginning} | ({"StartAfter": start} if start else {})
            with self._connection.asked() as client:
                page = client.list_objects_v2(Bucket=self._connection.bucket, MaxKeys=_PAGE, **place)
            found, is_truncated = page.get("Contents", []), page.get("IsTruncated")
            if is_truncated is None or (is_truncated and not found):
                raise OutsideError(f"{self.place}: the listing ends half way. {NO_ANSWER_OF_S3}")
            for each in found:
                yield self._object(each["Key"], each, size_bytes=each["Size"])
            start = found[-1]["Key"] if found else ""

    def head(self, name: str) -> StoredObject | None:
        """Describe one object."""
        with self._connection.asked() as client, absence() as absent:
            found = client.head_object(Bucket=self._connection.bucket, Key=self.prefix + name)
        return None if absent else self._object(self.prefix + name, found, size_bytes=found["ContentLength"])

    def download(self, found: StoredObject, into: BinaryIO) -> None:
        """Write the bytes of one version; a connection that breaks is followed by another from the same place on."""
        md5, crc32, written, answer = hashlib.md5(usedforsecurity=False), 0, 0, None
        for attempt in range(1, _DOWNLOADS + 1):
            try:
                with self._connection.asked() as client:
                    part = self._get(client, found, start=written)
                    answer = answer or part
                    while block := part["Body"].read(BLOCK_BYTES):
                        into.write(block)
                        md5.update(block)
                        crc32, written = zlib.crc32(block, crc32), written + len(block)
            except OutsideError:
                if answer is None or attempt == _DOWNLOADS:
                    raise
            if written >= found.size_bytes:
                break
        if answer is None or written != found.size_bytes or not _is_intact(answer, md5.hexdigest(), crc32):
            raise OutsideError(
                f"{self.place}/{found.name}: other bytes arrived than were stored (size or checksum differ). It is "
                "tried again; if it happens again, upload the file again"
            )

    def _get(self, client: Any, found: StoredObject, *, start: int) -> Mapping[str, Any]:
        """Ask for the bytes of one version from a place on, with the checksum if it is the beginning."""
        from botocore.exceptions import ClientError

        whole_or_rest: dict[str, str] = {"Range": f"bytes={start}-"} if start else {"ChecksumMode": "ENABLED"}
        etag = f'"{found.version.rsplit("-", 1)[0]}"'
        try:
            answer: Mapping[str, Any] = client.get_object(
                Bucket=self._connection.bucket, Key=self.prefix + found.name, IfMatch=etag, **whole_or_rest
            )
        except ClientError as error:
            if code_of(error) in {*ABSENT, "PreconditionFailed", "412"}:
                raise ObjectChanged from error
            raise
        return answer

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small object; if the connection breaks behind the first byte, ask again."""
        from botocore.exceptions import IncompleteReadError, ResponseStreamingError

        for attempt in range(1, _DOWNLOADS + 1):
            with self._connection.asked() as client, absence() as absent:
                body = client.get_object(Bucket=self._connection.bucket, Key=self.prefix + name)["Body"]
                try:
                    return bytes(body.read())
                except (IncompleteReadError, ResponseStreamingError):
                    if attempt == _DOWNLOADS:
                        raise
            if absent:
                break
        return None

    def upload(self, name: str, source: Path) -> StoredObject:
        """Copy a file; from 16 MB on in parts."""
        from boto3.exceptions import S3UploadFailedError
        from boto3.s3.transfer import TransferConfig

        # No threads: a run is forked, and its memory is capped.
        parts = TransferConfig(multipart_threshold=LARGE_BYTES, multipart_chunksize=LARGE_BYTES, use_threads=False)
        with self._connection.asked() as client:
            try:
                client.upload_file(str(source), self._connection.bucket, self.prefix + name, Config=parts)
            except S3UploadFailedError as error:
                raise (error.__context__ or error) from None
        stored = self.head(name)
        if stored is None:
            raise OutsideError(f"{self.place}/{name}: it was uploaded and is gone: did another process remove it?")
        return stored

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with self._connection.asked() as client:
            client.put_object(Bucket=self._connection.bucket, Key=self.prefix + name, Body=data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a small object unless there is one."""
        from botocore.exceptions import ClientError

        with self._connection.asked() as client:
            try:
                client.put_object(Bucket=self._connection.bucket, Key=self.prefix + name, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) not in {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}:
                    raise
                return False
        return True

    def writer(self, name: str, *, label: str) -> S3Writer:
        """Begin an object that is written in parts of 5 MB."""
        return S3Writer(self._connection, self.prefix + name, label)

    def copy(self, name: str, to: str, *, label: str, over: str) -> StoredObject:
        """Copy an object in parts, which need no connection to this machine; the last request makes it, if it may."""
        from botocore.exceptions import ClientError

        source, target = {"Bucket": self._connection.bucket, "Key": self.prefix + name}, self.prefix + to
        condition = {"IfMatch": f'"{over.rsplit("-", 1)[0]}"'} if over else {"IfNoneMatch": "*"}
        found = self.head(name)
        if found is None:
            raise ObjectChanged
        starts = range(0, max(found.size_bytes, 1), _COPIED_BYTES)
        with self._connection.asked() as client:
            upload = S3Writer(self._connection, target, label)
            upload.begin()
            try:
                for start in starts:
                    end = min(start + _COPIED_BYTES, found.size_bytes)
                    part = {"CopySourceRange": f"bytes={start}-{end - 1}"} if len(starts) > 1 else {}
                    copied = client.upload_part_copy(CopySource=source, **upload.part(), **part)
                    upload.etags.append(copied["CopyPartResult"]["ETag"])
                upload.complete(**condition)
            except ClientError as error:
                upload.abandon()
                if code_of(error) in _CHANGED:
                    raise ObjectChanged from error
                raise
        copy = self.head(to)
        if copy is None:
            raise ObjectChanged
        return copy

    def label(self, name: str) -> str:
        """Return the label in an object's metadata."""
        found: Mapping[str, Any] = {}
        with self._connection.asked() as client, absence():
            found = client.head_object(Bucket=self._connection.bucket, Key=self.prefix + name)
        return str(found.get("Metadata", {}).get(LABEL, ""))

    def presigned_put(self, name: str, *, size_bytes: int, within_s: int, replaces: bool) -> PresignedPut:
        """Sign a request by which somebody without credentials writes one object of this size.

        The headers are part of the signature: another size, or an object over another one that it may not replace, is
        refused by the service itself.
        """
        condition = {} if replaces else {"IfNoneMatch": "*"}
        place = {"Bucket": self._connection.bucket, "Key": self.prefix + name}
        with self._connection.asked() as client:
            url = client.generate_presigned_url(
                "put_object", Params={**place, "ContentLength": size_bytes, **condition}, ExpiresIn=within_s
            )
        headers = {"Content-Length": str(size_bytes)} | ({} if replaces else {"If-None-Match": "*"})
        return PresignedPut(url=url, headers=headers)

    def abandon(self, *, beginning: str, before: float) -> int:
        """Give up the writings whose first part came before the moment."""
        old: list[Mapping[str, Any]] = []
        with self._connection.asked() as client:
            for page in client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._connection.bucket, Prefix=self.prefix + beginning
            ):
                old += [each for each in page.get("Uploads", []) if each["Initiated"].timestamp() < before]
            for each in old:
                client.abort_multipart_upload(
                    Bucket=self._connection.bucket, Key=each["Key"], UploadId=each["UploadId"]
                )
        return len(old)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, a thousand to a request."""
        for some in batches(names, _PAGE):
            keys = [{"Key": self.prefix + name} for name in some]
            with self._connection.asked() as client:
                answer = client.delete_objects(Bucket=self._connection.bucket, Delete={"Objects": keys, "Quiet": True})
            if errors := [each for each in answer.get("Errors", []) if each.get("Code") != "NoSuchKey"]:
                raise OutsideError(self._connection.say(str(errors[0].get("Code")), "DeleteObjects"))

    def _object(self, full_name: str, answer: Mapping[str, Any], *, size_bytes: int) -> StoredObject:
        return StoredObject(
            name=full_name.removeprefix(self.prefix),
            size_bytes=size_bytes,
            version=f"{answer['ETag'].strip(chr(34))}-{size_bytes:x}",
            modified_at=float(int(answer["LastModified"].timestamp())),
        )


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """A request that the service has signed and somebody else sends."""

    url: str
    headers: dict[str, str]
    """Must be sent as they are."""


def _is_intact(answer: Mapping[str, Any], md5: str, crc32: int) -> bool:
    """Compare what arrived with the checksums that the service gave; those over parts cannot be compared."""
    is_encrypted_by_key = "kms" in answer.get("ServerSideEncryption", "") or "SSECustomerAlgorithm" in answer
    etag = answer["ETag"].strip('"')
    if _MD5.fullmatch(etag) and not is_encrypted_by_key and etag != md5:
        return False
    if "ChecksumCRC32" in answer and answer.get("ChecksumType") == "FULL_OBJECT":
        return bool(base64.b64decode(answer["ChecksumCRC32"]) == crc32.to_bytes(4, "big"))
    return True

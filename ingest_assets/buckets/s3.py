"""Reach the objects of S3, or of a service that speaks like it (MinIO, Ceph, R2), by boto3.

Credentials and region come from where boto3 always looks for them: environment, `~/.aws`, the instance's role. A
version is the ETag with the size: it names the bytes, and is a digest of them only for objects that were not uploaded
in parts or encrypted with a key of their owner.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest_assets.batches import batches
from ingest_assets.buckets.aws_credentials import CREDENTIALS_TODO
from ingest_assets.buckets.object_store import BLOCK_BYTES, LARGE_BYTES, ClientOfProcess, ObjectChanged, StoredObject
from ingest_assets.errors import BadInput, OutsideError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_PAGE = 1000  # the most that one answer lists, and the most that one request deletes
_PART_BYTES = 5 << 20  # the smallest that S3 takes as a part of an object
_COPIED_BYTES = 1 << 30  # of one request; S3 takes 5 GiB
_LABEL = "ingest-upload"
_CHANGED = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "NoSuchUpload", "404"}
_DOWNLOADS = 5  # connections for one object: boto3's retries end when the first byte of the body has come
_ABSENT = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
_RIGHTS = "s3:ListBucket on the bucket; s3:GetObject, s3:PutObject, s3:DeleteObject on what is in it"
_TODO = {
    **CREDENTIALS_TODO,
    "NoSuchBucket": "Nothing is removed for it. Make it, or name another",
    "AccessDenied": f"Nothing is removed for it. Give the credentials {_RIGHTS}",
    "AllAccessDisabled": "The account of the bucket is closed or not paid",
    "RequestTimeTooSkewed": "Correct the clock of this host",
    "PermanentRedirect": "The bucket is in another region. Set AWS_REGION to it",
    "AuthorizationHeaderMalformed": "The bucket is in another region. Set AWS_REGION to it",
    "SlowDown": "The service asks for fewer requests. It is tried again",
    "EndpointConnectionError": "Is the network up, is INGEST_S3_ENDPOINT right? It is tried again",
    "ResponseParserError": "This is no answer of S3: is INGEST_S3_ENDPOINT right?",
}
# Requests without a body in the answer give the number alone.
_SAME = {"403": "AccessDenied", "301": "PermanentRedirect", "503": "SlowDown", "Throttling": "SlowDown"}
_RENEWED = {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
_MD5 = re.compile("[0-9a-f]{32}")


class S3Objects:
    """The objects below a prefix of a bucket of S3."""

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str = "") -> None:
        """Take the bucket, the prefix that all names have before them, and the URL of a service that is not AWS."""
        self._bucket, self._endpoint = bucket, endpoint
        self._client = ClientOfProcess(lambda: _new_client(endpoint))
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.place = f"s3://{bucket}/{self.prefix}".rstrip("/")

    def list(self, *, beginning: str = "", after: str = "") -> Iterator[StoredObject]:
        """Yield objects, a thousand to a request; each request begins behind the last name of the one before."""
        start, is_truncated = self.prefix + after if after else "", True
        while is_truncated:
            place = {"Prefix": self.prefix + beginning} | ({"StartAfter": start} if start else {})
            with self._asked() as client:
                page = client.list_objects_v2(Bucket=self._bucket, MaxKeys=_PAGE, **place)
            found, is_truncated = page.get("Contents", []), page.get("IsTruncated")
            if is_truncated is None or (is_truncated and not found):
                raise OutsideError(f"{self.place}: the listing ends half way. {_TODO['ResponseParserError']}")
            for each in found:
                yield self._object(each["Key"], each, size_bytes=each["Size"])
            start = found[-1]["Key"] if found else ""

    def head(self, name: str) -> StoredObject | None:
        """Describe one object."""
        with self._asked() as client, _absence() as absent:
            found = client.head_object(Bucket=self._bucket, Key=self.prefix + name)
        return None if absent else self._object(self.prefix + name, found, size_bytes=found["ContentLength"])

    def download(self, found: StoredObject, into: BinaryIO) -> None:
        """Write the bytes of one version; a connection that breaks is followed by another from the same place on."""
        md5, crc32, written, answer = hashlib.md5(usedforsecurity=False), 0, 0, None
        for attempt in range(1, _DOWNLOADS + 1):
            try:
                with self._asked() as client:
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
                Bucket=self._bucket, Key=self.prefix + found.name, IfMatch=etag, **whole_or_rest
            )
        except ClientError as error:
            if _code(error) in {*_ABSENT, "PreconditionFailed", "412"}:
                raise ObjectChanged from error
            raise
        return answer

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small object; if the connection breaks behind the first byte, ask again."""
        from botocore.exceptions import IncompleteReadError, ResponseStreamingError

        for attempt in range(1, _DOWNLOADS + 1):
            with self._asked() as client, _absence() as absent:
                body = client.get_object(Bucket=self._bucket, Key=self.prefix + name)["Body"]
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
        with self._asked() as client:
            try:
                client.upload_file(str(source), self._bucket, self.prefix + name, Config=parts)
            except S3UploadFailedError as error:
                raise (error.__context__ or error) from None
        stored = self.head(name)
        if stored is None:
            raise OutsideError(f"{self.place}/{name}: it was uploaded and is gone: did another process remove it?")
        return stored

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with self._asked() as client:
            client.put_object(Bucket=self._bucket, Key=self.prefix + name, Body=data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a small object unless there is one."""
        from botocore.exceptions import ClientError

        with self._asked() as client:
            try:
                client.put_object(Bucket=self._bucket, Key=self.prefix + name, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) not in {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}:
                    raise
                return False
        return True

    def writer(self, name: str, *, label: str) -> S3Writer:
        """Begin an object that is written in parts of 5 MB."""
        return S3Writer(self, self.prefix + name, label)

    def copy(self, name: str, to: str, *, label: str, over: str) -> StoredObject:
        """Copy an object in parts, which need no connection to this machine; the last request makes it, if it may."""
        from botocore.exceptions import ClientError

        source, target = {"Bucket": self._bucket, "Key": self.prefix + name}, self.prefix + to
        condition = {"IfMatch": f'"{over.rsplit("-", 1)[0]}"'} if over else {"IfNoneMatch": "*"}
        found = self.head(name)
        if found is None:
            raise ObjectChanged
        starts = range(0, max(found.size_bytes, 1), _COPIED_BYTES)
        with self._asked() as client:
            upload = S3Writer(self, target, label)
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
                if _code(error) in _CHANGED:
                    raise ObjectChanged from error
                raise
        copy = self.head(to)
        if copy is None:
            raise ObjectChanged
        return copy

    def label(self, name: str) -> str:
        """Return the label in an object's metadata."""
        found: Mapping[str, Any] = {}
        with self._asked() as client, _absence():
            found = client.head_object(Bucket=self._bucket, Key=self.prefix + name)
        return str(found.get("Metadata", {}).get(_LABEL, ""))

    def presigned_put(self, name: str, *, size_bytes: int, within_s: int, replaces: bool) -> PresignedPut:
        """Sign a request by which somebody without credentials writes one object of this size.

        The headers are part of the signature: another size, or an object over another one that it may not replace, is
        refused by the service itself.
        """
        condition = {} if replaces else {"IfNoneMatch": "*"}
        place = {"Bucket": self._bucket, "Key": self.prefix + name}
        with self._asked() as client:
            url = client.generate_presigned_url(
                "put_object", Params={**place, "ContentLength": size_bytes, **condition}, ExpiresIn=within_s
            )
        headers = {"Content-Length": str(size_bytes)} | ({} if replaces else {"If-None-Match": "*"})
        return PresignedPut(url=url, headers=headers)

    def abandon(self, *, beginning: str, before: float) -> int:
        """Give up the writings whose first part came before the moment."""
        old: list[Mapping[str, Any]] = []
        with self._asked() as client:
            for page in client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self.prefix + beginning
            ):
                old += [each for each in page.get("Uploads", []) if each["Initiated"].timestamp() < before]
            for each in old:
                client.abort_multipart_upload(Bucket=self._bucket, Key=each["Key"], UploadId=each["UploadId"])
        return len(old)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, a thousand to a request."""
        for some in batches(names, _PAGE):
            keys = [{"Key": self.prefix + name} for name in some]
            with self._asked() as client:
                answer = client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
            if errors := [each for each in answer.get("Errors", []) if each.get("Code") != "NoSuchKey"]:
                raise OutsideError(self._say(str(errors[0].get("Code")), "DeleteObjects"))

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """Give the client; what goes wrong with it is an OutsideError that says what to do."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            yield self._client()
        except ClientError as error:
            code = _code(error)
            if code in _RENEWED:
                self._client.forget()
            if code == "KeyTooLongError":
                raise BadInput(f"{self.place}: the key is too long for the service; rename the file") from error
            raise OutsideError(self._say(code, error.operation_name)) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise OutsideError(self._say(type(error).__name__, "")) from error

    def _say(self, code: str, operation: str) -> str:
        todo = _TODO.get(_SAME.get(code, code), "It is tried again")
        where = f" at {self._endpoint}" if self._endpoint else ""
        what = f"{code} at {operation}" if operation else code
        return f"the bucket {self.place}{where} cannot be used ({what}). {todo}"

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


@dataclass(slots=True)
class S3Writer:
    """An object of S3 that is written part by part; a small one by one request."""

    _objects: S3Objects = field(repr=False)
    _key: str
    _label: str
    etags: list[str] = field(default_factory=list)
    """Of the parts that are there."""
    _upload: str = ""
    _waiting: bytearray = field(default_factory=bytearray, repr=False)

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._waiting += data
        while len(self._waiting) >= _PART_BYTES:
            part, self._waiting = self._waiting, self._waiting[_PART_BYTES:]
            del part[_PART_BYTES:]
            self._send(part)

    def finish(self) -> None:
        """Make the object."""
        if self._upload:
            if self._waiting:
                self._send(self._waiting)
            with self._objects._asked():
                self.complete()
        else:
            with self._objects._asked() as client:
                place = {"Bucket": self._objects._bucket, "Key": self._key}
                client.put_object(**place, Body=bytes(self._waiting), Metadata={_LABEL: self._label})
        self._waiting = bytearray()

    def abandon(self) -> None:
        """Remove the parts."""
        self._waiting = bytearray()
        if self._upload:
            with self._objects._asked() as client, _absence():
                client.abort_multipart_upload(Bucket=self._objects._bucket, Key=self._key, UploadId=self._upload)

    def begin(self) -> None:
        """Ask for an upload in parts."""
        place = {"Bucket": self._objects._bucket, "Key": self._key}
        with self._objects._asked() as client:
            self._upload = client.create_multipart_upload(**place, Metadata={_LABEL: self._label})["UploadId"]

    def part(self) -> dict[str, Any]:
        """Return what names the next part."""
        place = {"Bucket": self._objects._bucket, "Key": self._key}
        return {**place, "UploadId": self._upload, "PartNumber": len(self.etags) + 1}

    def complete(self, **condition: str) -> None:
        """Make the object of the parts; errors are the client's own."""
        parts = [{"ETag": etag, "PartNumber": number} for number, etag in enumerate(self.etags, 1)]
        named = {"Bucket": self._objects._bucket, "Key": self._key, "UploadId": self._upload}
        self._objects._client().complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, **condition)

    def _send(self, data: bytearray) -> None:
        if not self._upload:
            self.begin()
        with self._objects._asked() as client:
            self.etags.append(client.upload_part(**self.part(), Body=bytes(data))["ETag"])


def _new_client(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    # A service that is not AWS has its buckets in the path, and may not know the newer checksums (boto3 since 1.36).
    other = {
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    config = Config(
        # A tick may ask three times before it gives up, and has a minute for all: at most 4 x 3 s and 7 s of pauses.
        retries={"mode": "adaptive", "max_attempts": 4},
        connect_timeout=3,
        read_timeout=30,
        max_pool_connections=4,
        signature_version="s3v4",  # what is presigned has its headers in the signature
        **(other if endpoint else {}),
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint or None, config=config)


@contextmanager
def _absence() -> Iterator[list[str]]:
    """Run the block; if it asks for an object that is not there, the list is not empty afterwards."""
    from botocore.exceptions import ClientError

    absent: list[str] = []
    try:
        yield absent
    except ClientError as error:
        if _code(error) not in _ABSENT:
            raise
        absent.append(_code(error))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_intact(answer: Mapping[str, Any], md5: str, crc32: int) -> bool:
    """Compare what arrived with the checksums that the service gave; those over parts cannot be compared."""
    is_encrypted_by_key = "kms" in answer.get("ServerSideEncryption", "") or "SSECustomerAlgorithm" in answer
    etag = answer["ETag"].strip('"')
    if _MD5.fullmatch(etag) and not is_encrypted_by_key and etag != md5:
        return False
    if "ChecksumCRC32" in answer and answer.get("ChecksumType") == "FULL_OBJECT":
        return bool(base64.b64decode(answer["ChecksumCRC32"]) == crc32.to_bytes(4, "big"))
    return True

"""Write an object of S3 part by part, without a file of it on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ingest_assets.buckets.object_store import LABEL
from ingest_assets.buckets.s3_connection import S3Connection, absence

_PART_BYTES = 5 << 20  # the smallest that S3 takes as a part of an object


@dataclass(slots=True)
class S3Writer:
    """An object of S3 that is written part by part; a small one by one request."""

    _connection: S3Connection = field(repr=False)
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
            with self._connection.asked():
                self.complete()
        else:
            with self._connection.asked() as client:
                place = {"Bucket": self._connection.bucket, "Key": self._key}
                client.put_object(**place, Body=bytes(self._waiting), Metadata={LABEL: self._label})
        self._waiting = bytearray()

    def abandon(self) -> None:
        """Remove the parts."""
        self._waiting = bytearray()
        if self._upload:
            with self._connection.asked() as client, absence():
                client.abort_multipart_upload(Bucket=self._connection.bucket, Key=self._key, UploadId=self._upload)

    def begin(self) -> None:
        """Ask for an upload in parts."""
        place = {"Bucket": self._connection.bucket, "Key": self._key}
        with self._connection.asked() as client:
            self._upload = client.create_multipart_upload(**place, Metadata={LABEL: self._label})["UploadId"]

    def part(self) -> dict[str, Any]:
        """Return what names the next part."""
        place = {"Bucket": self._connection.bucket, "Key": self._key}
        return {**place, "UploadId": self._upload, "PartNumber": len(self.etags) + 1}

    def complete(self, **condition: str) -> None:
        """Make the object of the parts; errors are the client's own."""
        parts = [{"ETag": etag, "PartNumber": number} for number, etag in enumerate(self.etags, 1)]
        named = {"Bucket": self._connection.bucket, "Key": self._key, "UploadId": self._upload}
        self._connection.client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, **condition)

    def _send(self, data: bytearray) -> None:
        if not self._upload:
            self.begin()
        with self._connection.asked() as client:
            self.etags.append(client.upload_part(**self.part(), Body=bytes(data))["ETag"])

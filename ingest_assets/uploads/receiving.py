"""Receive the files of one request into the bucket, unseen, until the last of them is whole.

Bytes go from the network into the bucket once, piece by piece. Nothing has a key before the job that names all files is
written (`keeping.py`), so a request that ends early, is refused, or whose service is killed leaves no file behind, and
its uploads are swept after a day.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest_assets.buckets.contract import Bucket, StagedObject
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.uploads.form import FILE_FIELDS, UploadForm, read_form
from ingest_assets.uploads.multipart_reader import (
    BodyLimits,
    FileBegin,
    FileBytes,
    FileEnd,
    MultipartReader,
    TextField,
)
from ingest_assets.uploads.names import plain_name, shown

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedFile:
    """A file that lies in the bucket and has no key yet."""

    sent_as: str
    size_bytes: int
    sha256: str
    staged: StagedObject


@dataclass(slots=True)
class _Arriving:
    """The file whose bytes come now."""

    sent_as: str
    staged: StagedObject
    digest: _Hash = field(default_factory=hashlib.sha256)
    size_bytes: int = 0


class Receiving:
    """The body of one request on its way into the bucket."""

    def __init__(self, bucket: Bucket, content_type: str, *, limits: BodyLimits) -> None:
        """Take the bucket and the value of the header Content-Type.

        Raises:
            BadInput: the body is no form with files.
        """
        self._bucket = bucket
        self._reader = MultipartReader(content_type, limits=limits)
        self._arriving: _Arriving | None = None
        self.fields: list[tuple[str, str]] = []
        self.files: list[ReceivedFile] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            TooMuch: naming the part that passes a limit.
            BadInput: the body, a name or a field is not what it should be.
            OutsideError: the bucket does not take the bytes.
        """
        for event in self._reader.feed(data):
            match event:
                case TextField(name, value):
                    if name in FILE_FIELDS:
                        raise BadInput(f"the field {shown(name)}: it has no filename, so it is no file; send one")
                    self.fields.append((name, value))
                case FileBegin(name, filename):
                    if name not in FILE_FIELDS:
                        raise BadInput(f"the field {shown(name)}: files come in the field `files`; rename it")
                    self._arriving = _Arriving(plain_name(filename), self._bucket.stage())
                case FileBytes(piece):
                    self._write(piece)
                case FileEnd():
                    self._end_file()

    def finish(self) -> UploadForm:
        """Make sure that the body was whole, and return its fields.

        Raises:
            BadInput: it ended early, holds no file, or a field is not what it should be.
        """
        self._reader.close()
        if not self.files:
            raise BadInput("the body: it holds no file; send files in the field `files`")
        return read_form(self.fields)

    def discard(self) -> None:
        """Remove what has arrived; what cannot be removed now is swept later."""
        uploads = [file.staged for file in self.files]
        if self._arriving is not None:
            uploads.append(self._arriving.staged)
        for upload in uploads:
            with suppress(OutsideError):
                upload.discard()

    def _write(self, piece: bytes) -> None:
        file = self._arriving
        assert file is not None, "the reader begins a file before its bytes"
        file.staged.write(piece)
        file.digest.update(piece)
        file.size_bytes += len(piece)

    def _end_file(self) -> None:
        file = self._arriving
        assert file is not None, "the reader begins a file before it ends one"
        file.staged.finish()
        self.files.append(
            ReceivedFile(
                sent_as=file.sent_as,
                size_bytes=file.size_bytes,
                sha256=file.digest.hexdigest(),
                staged=file.staged,
            )
        )
        self._arriving = None

"""Receive one file: find its owner, size, hash and media type, the reference that every later stage starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import file_id_of, owner_of
from ingest_assets.local_files import sha256_of
from ingest_assets.records import BucketObject, SourceFile

VERSION = "1"


def receive(
    key: str,
    *,
    path: Path,
    stat: Callable[[], BucketObject | None],
    detect: Callable[[], str],
    max_bytes: int,
) -> SourceFile:
    """Name the file's owner, size, hash and media type, which `detect` finds in the content.

    Raises:
        BadInput: the file is gone, empty, larger than `max_bytes`, or changed while it was being read.
        OutsideError: the bucket's disk fails.
    """
    before = require_fit(key, stat(), max_bytes=max_bytes)
    user_id, project_id, filename = owner_of(key)
    try:
        sha256 = sha256_of(path)
        media_type = detect()
    except OSError as error:
        raise OutsideError(f"{key}: it cannot be read ({error.strerror}): see to the disk or the share") from error
    if stat() != before:
        raise BadInput(f"{key}: the file changed while it was being read; it is taken up again when it rests")
    return SourceFile(
        file_id=file_id_of(key),
        user_id=user_id,
        project_id=project_id,
        filename=filename,
        key=key,
        size_bytes=before.size_bytes,
        sha256=sha256,
        media_type=media_type,
        version=before.version,
    )


def require_fit(key: str, found: BucketObject | None, *, max_bytes: int) -> BucketObject:
    """Return what the bucket says about a file, if the file can be received.

    Raises:
        BadInput: it is gone, empty or too large.
    """
    if found is None:
        raise BadInput(f"{key}: it is no longer in the bucket; upload it again")
    if found.size_bytes == 0:
        raise BadInput(f"{key}: the file is empty (0 bytes); upload it again")
    if found.size_bytes > max_bytes:
        raise BadInput(
            f"{key}: {found.size_bytes / 1e6:,.1f} MB is over the limit of {max_bytes / 1e6:,.0f} MB; "
            "split the file, or raise MAX_FILE_MB"
        )
    return found

"""Read the bytes of one version of a file, and compare them with bytes that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest_assets.buckets.contract import Bucket, changed
from ingest_assets.errors import BadInput
from ingest_assets.local_files import sha256_of
from ingest_assets.records import BucketObject, SourceFile


@contextmanager
def unchanged_file(bucket: Bucket, source: SourceFile) -> Iterator[Path]:
    """Give the bytes of a file's version, and make sure that the bucket has this version before and after.

    Raises:
        BadInput: the file changed.
    """
    with bucket.local(source.key, version=source.version) as path:
        _require_version(bucket, source)
        try:
            yield path
        finally:
            # Also if the parser failed: it may have seen a file that was only half replaced.
            _require_version(bucket, source)


def _require_version(bucket: Bucket, source: SourceFile) -> None:
    now = bucket.stat(source.key)
    if now is None or now.version != source.version:
        raise BadInput(changed(source.key))


def has_bytes(bucket: Bucket, found: BucketObject, *, size_bytes: int, sha256: Callable[[], str]) -> bool:
    """Tell whether a version in the bucket has these bytes; they are hashed only where the sizes are the same.

    A version that changed meanwhile, or that may not be read, is not known to be the same.

    Raises:
        OutsideError: the bucket is away.
    """
    if found.size_bytes != size_bytes:
        return False
    try:
        with bucket.local(found.key, version=found.version) as path:
            return sha256_of(path) == sha256()
    except BadInput:
        return False

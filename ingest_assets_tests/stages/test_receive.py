from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.errors import BadInput
from ingest_assets.records import SourceFile
from ingest_assets.stages.receive import receive

KEY = "ann/p/a.txt"


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    (tmp_path / "ann/p").mkdir(parents=True)
    return FolderBucket(tmp_path)


def take(bucket: FolderBucket, tmp_path: Path, *, max_bytes: int = 1000) -> SourceFile:
    return receive(
        KEY,
        path=tmp_path / KEY,
        stat=lambda: bucket.stat(KEY),
        detect=lambda: "text/plain",
        max_bytes=max_bytes,
    )


def test_a_file_is_named_by_owner_hash_and_type(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / KEY).write_bytes(b"hello")
    source = take(bucket, tmp_path)
    assert (source.file_id, source.user_id, source.project_id, source.filename) == ("ann:p:a.txt", "ann", "p", "a.txt")
    assert source.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert source.media_type == "text/plain"


def test_an_empty_file_is_refused(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / KEY).touch()
    with pytest.raises(BadInput, match="empty"):
        take(bucket, tmp_path)


def test_a_file_over_the_limit_is_refused_with_both_sizes(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / KEY).write_bytes(b"x" * 2_100_000)
    with pytest.raises(BadInput, match=r"2\.1 MB.*limit of 1 MB.*MAX_FILE_MB"):
        take(bucket, tmp_path, max_bytes=1_000_000)


def test_a_file_that_is_gone_is_refused(bucket: FolderBucket, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no longer in the bucket"):
        take(bucket, tmp_path)


def test_a_file_that_changes_while_it_is_read_is_refused_as_this_version(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / KEY).write_bytes(b"hello")

    def grow() -> str:
        (tmp_path / KEY).write_bytes(b"hello, world")
        return "text/plain"

    with pytest.raises(BadInput, match="changed while it was being read"):
        receive(KEY, path=tmp_path / KEY, stat=lambda: bucket.stat(KEY), detect=grow, max_bytes=1000)

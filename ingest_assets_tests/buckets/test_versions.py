"""Test reading one version of a file, and comparing its bytes with others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.buckets.versions import has_bytes, unchanged_file
from ingest_assets.errors import BadInput
from ingest_assets.records import BucketObject, SourceFile

KEY, TEXT = "ann/p/a.txt", b"the tide turns"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def bucket(file: Path, tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path)


def found_in(bucket: FolderBucket) -> BucketObject:
    found = bucket.stat(KEY)
    assert found is not None
    return found


def test_a_file_that_is_replaced_while_it_is_read_is_refused_also_if_its_parser_failed(
    bucket: FolderBucket, file: Path
) -> None:
    source = SourceFile(
        file_id="ann:p:a.txt",
        user_id="ann",
        project_id="p",
        filename="a.txt",
        key=KEY,
        size_bytes=len(TEXT),
        sha256=hashlib.sha256(TEXT).hexdigest(),
        media_type="text/plain",
        version=found_in(bucket).version,
    )
    with unchanged_file(bucket, source) as path:
        assert path.read_bytes() == TEXT
    with pytest.raises(BadInput, match="changed"), unchanged_file(bucket, source):
        file.write_bytes(b"another text")
        raise ZeroDivisionError
    with pytest.raises(BadInput, match="changed"), unchanged_file(bucket, source):
        pass


@pytest.mark.parametrize(("text", "same"), [(TEXT, True), (TEXT[::-1], False), (TEXT + b".", False)])
def test_bytes_are_the_same_by_size_and_hash(bucket: FolderBucket, text: bytes, same: bool) -> None:
    digest = hashlib.sha256(text).hexdigest()
    assert has_bytes(bucket, found_in(bucket), size_bytes=len(text), sha256=lambda: digest) is same


def test_a_version_that_is_gone_is_not_known_to_be_the_same(bucket: FolderBucket, file: Path) -> None:
    found, digest = found_in(bucket), hashlib.sha256(TEXT).hexdigest()
    file.write_bytes(b"another text")
    assert not has_bytes(bucket, found, size_bytes=len(TEXT), sha256=lambda: digest)

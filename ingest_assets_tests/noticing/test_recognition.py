"""Test that a bucket without a mark is recognised by its files, at the cost of one page a look and not of a listing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.index.database import Database
from ingest_assets.index.file_index import FileIndex
from ingest_assets.noticing import recognition
from ingest_assets.noticing.recognition import Recognition
from ingest_assets.records import BucketObject, UnreadablePlace
from ingest_assets_tests.index.files import record


class CountingBucket(FolderBucket):
    """A folder that counts what was listed."""

    listed = 0

    def list(self, *, after: str = "") -> Iterator[BucketObject | UnreadablePlace]:
        for each in super().list(after=after):
            self.listed += 1
            yield each


@pytest.fixture
def index(tmp_path: Path) -> FileIndex:
    return FileIndex(Database(f"sqlite:///{tmp_path}/index.db"))


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountingBucket:
    monkeypatch.setattr(recognition, "_PAGE", 2)
    (tmp_path / "bucket/ann/p").mkdir(parents=True)
    return CountingBucket(tmp_path / "bucket")


def put(bucket: CountingBucket, *names: str) -> None:
    for name in names:
        (bucket._root / "ann/p" / name).write_text(name)


def know(bucket: CountingBucket, index: FileIndex, *names: str, version: str = "") -> None:
    for name in names:
        found = bucket.stat(f"ann/p/{name}")
        assert found is not None
        index.record(record(name, version=version or found.version))


def test_a_bucket_is_known_if_nothing_is_known_of_its_files(bucket: CountingBucket, index: FileIndex) -> None:
    assert Recognition(bucket, index).is_known(until=0) is True


def test_an_empty_bucket_and_one_of_other_files_are_unknown(bucket: CountingBucket, index: FileIndex) -> None:
    index.record(record("a"))
    assert Recognition(bucket, index).is_known(until=None) is False
    put(bucket, "x", "y", "z")
    assert Recognition(bucket, index).is_known(until=None) is False


def test_a_file_as_the_ledger_knows_it_shows_the_bucket_and_is_asked_for_first_afterwards(
    bucket: CountingBucket, index: FileIndex
) -> None:
    put(bucket, *"abcdefg")
    know(bucket, index, "a", version="other")
    know(bucket, index, "g")
    recognised = Recognition(bucket, index)
    assert [recognised.is_known(until=0) for _ in range(4)] == [None, None, None, True]
    listed = bucket.listed
    assert [recognised.is_known(until=0) for _ in range(3)] == [True] * 3
    assert bucket.listed == listed


def test_most_of_the_names_show_a_bucket_that_was_restored(bucket: CountingBucket, index: FileIndex) -> None:
    put(bucket, *"abc")
    know(bucket, index, *"abc", version="before the restoration")
    assert Recognition(bucket, index).is_known(until=None) is True
    for name in "bc":
        (bucket._root / "ann/p" / name).unlink()
    assert Recognition(bucket, index).is_known(until=None) is False


def test_an_unknown_bucket_is_not_listed_again_at_each_look(bucket: CountingBucket, index: FileIndex) -> None:
    put(bucket, *"abc")
    index.record(record("z"))
    recognised = Recognition(bucket, index)
    assert [recognised.is_known(until=time.monotonic() + 60) for _ in range(5)] == [False] * 5
    assert bucket.listed == 3

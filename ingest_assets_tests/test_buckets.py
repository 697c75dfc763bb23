from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest_assets.buckets import FolderBucket, open_bucket
from ingest_assets.errors import BadInput, ConfigError


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


def put(bucket: FolderBucket, tmp_path: Path, key: str, text: str) -> None:
    (tmp_path / "source").write_text(text)
    bucket.put(key, tmp_path / "source")


def test_what_is_put_is_listed_and_read_back(bucket: FolderBucket, tmp_path: Path) -> None:
    put(bucket, tmp_path, "ann/p/deep/er/a [1],~%20.txt", "hello")
    (item,) = bucket.list()
    assert (item.key, item.size_bytes) == ("ann/p/deep/er/a [1],~%20.txt", 5)
    with bucket.local(item.key) as path:
        assert path.read_text() == "hello"


def test_the_same_size_and_time_with_other_bytes_is_another_version(bucket: FolderBucket, tmp_path: Path) -> None:
    put(bucket, tmp_path, "ann/p/a.txt", "one")
    before = bucket.stat("ann/p/a.txt")
    path = tmp_path / "bucket/ann/p/a.txt"
    times = path.stat()
    path.write_text("two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = bucket.stat("ann/p/a.txt")
    assert before is not None
    assert after is not None
    assert before.version != after.version


def test_an_untouched_file_keeps_its_version(bucket: FolderBucket, tmp_path: Path) -> None:
    put(bucket, tmp_path, "ann/p/a.txt", "one")
    assert bucket.stat("ann/p/a.txt") == bucket.stat("ann/p/a.txt") == next(bucket.list())


@pytest.mark.parametrize(
    "name",
    [".hidden", "a.pdf.part", "~$q3.docx", "movie.crdownload", "a.TMP", "Thumbs.db", "desktop.ini", ".~lock.a.odt#"],
)
def test_hidden_unfinished_and_system_files_are_not_objects(bucket: FolderBucket, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "bucket/ann/p"
    folder.mkdir(parents=True)
    (folder / name).write_text("half")
    assert list(bucket.list()) == []
    assert bucket.stat(f"ann/p/{name}") is None
    with pytest.raises(BadInput, match="rename it"):
        bucket.put(f"ann/p/{name}", folder / name)


def test_links_are_not_followed_out_of_the_bucket(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "bucket/ann/p"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert list(bucket.list()) == []
    with pytest.raises(BadInput), bucket.local("ann/p/link.txt"):
        pass


def test_a_key_never_leads_out_of_the_bucket(bucket: FolderBucket) -> None:
    with pytest.raises(BadInput, match="out of the bucket"):
        bucket.delete("ann/../../x")


def test_a_deleted_file_leaves_no_empty_folders(bucket: FolderBucket, tmp_path: Path) -> None:
    put(bucket, tmp_path, "ann/p/a.txt", "one")
    bucket.delete("ann/p/a.txt")
    bucket.delete("ann/p/a.txt")
    assert list((tmp_path / "bucket").iterdir()) == []


def test_an_unknown_kind_of_bucket_is_refused() -> None:
    with pytest.raises(ConfigError, match="INGEST_BUCKET"):
        open_bucket("ftp://host/files")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    bucket = open_bucket(f"file://{tmp_path}/with%20space")
    assert isinstance(bucket, FolderBucket)
    assert (tmp_path / "with space").is_dir()

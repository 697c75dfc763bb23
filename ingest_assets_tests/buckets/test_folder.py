from __future__ import annotations

import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.buckets.opening import open_bucket
from ingest_assets.config.settings import load_settings
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.records import BucketObject, UnreadablePlace
from testing.rights import run_bound_by_rights

DECOMPOSED, COMPOSED = (unicodedata.normalize(form, "Geschäft") for form in ("NFD", "NFC"))


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    bucket = FolderBucket(tmp_path / "bucket")
    bucket.prepare()
    return bucket


def lay(path: Path, text: str = "words") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def keys(bucket: FolderBucket) -> list[str]:
    return [item.key for item in bucket.list() if isinstance(item, BucketObject)]


def unreadable(bucket: FolderBucket) -> list[UnreadablePlace]:
    return [item for item in bucket.list() if isinstance(item, UnreadablePlace)]


def put(bucket: FolderBucket, tmp_path: Path, key: str, text: str) -> None:
    (tmp_path / "source").write_text(text)
    bucket.put(key, tmp_path / "source")


def test_what_is_put_is_listed_and_read_back(bucket: FolderBucket, tmp_path: Path) -> None:
    put(bucket, tmp_path, "ann/p/deep/er/a [1],~%20.txt", "hello")
    (item,) = bucket.list()
    assert isinstance(item, BucketObject)
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
    assert [path.name for path in (tmp_path / "bucket").iterdir()] == [".ingest-bucket"]


def test_an_unknown_kind_of_bucket_is_refused() -> None:
    with pytest.raises(ConfigError, match="INGEST_BUCKET"):
        open_bucket(load_settings({"INGEST_BUCKET": "ftp://host/files"}))


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    bucket = open_bucket(load_settings({"INGEST_BUCKET": f"file://{tmp_path}/with%20space"}))
    bucket.prepare()
    assert (tmp_path / "with space").is_dir()


def test_a_bucket_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    for ask in (
        lambda: list(bucket.list()),
        lambda: bucket.stat("ann/p/a.txt"),
        lambda: bucket.put("ann/p/a.txt", tmp_path / "x"),
    ):
        with pytest.raises(OutsideError, match="is not there"):
            ask()
    assert not (tmp_path / "bucket").exists()


def test_a_file_is_not_gone_from_an_empty_folder_without_a_mark(bucket: FolderBucket, tmp_path: Path) -> None:
    lay(tmp_path / "bucket/ann/p/a.txt")
    shutil.rmtree(tmp_path / "bucket")
    (tmp_path / "bucket").mkdir()  # as an empty mount point stands there
    with pytest.raises(OutsideError, match="volume mounted"):
        bucket.stat("ann/p/a.txt")
    (tmp_path / "x").write_text("x")
    with pytest.raises(OutsideError, match="volume mounted"):
        bucket.put("ann/p/b.txt", tmp_path / "x")
    bucket.prepare()
    assert bucket.stat("ann/p/a.txt") is None


def test_a_mark_keeps_its_id_and_moves_with_the_folder(bucket: FolderBucket, tmp_path: Path) -> None:
    before = bucket.identity()
    bucket.prepare()
    (tmp_path / "bucket").rename(tmp_path / "moved")
    assert before == FolderBucket(tmp_path / "moved").identity() != ""


def test_two_processes_that_mark_a_bucket_leave_one_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, ids = FolderBucket(tmp_path), FolderBucket(tmp_path), iter(["", ""])
    with monkeypatch.context() as both_find_none:
        both_find_none.setattr(FolderBucket, "identity", lambda self: next(ids))
        first.prepare()
        mark = (tmp_path / ".ingest-bucket").read_text()
        second.prepare()
    assert first.identity() == mark.strip() != ""
    assert [path.name for path in tmp_path.iterdir()] == [".ingest-bucket"]


def test_an_empty_folder_of_a_user_may_be_a_share_that_is_away(bucket: FolderBucket, tmp_path: Path) -> None:
    (tmp_path / "bucket/ann").mkdir()
    (place,) = unreadable(bucket)
    assert (place.key, place.is_empty) == ("ann", True)
    (tmp_path / "bucket/ann/p").mkdir()
    assert unreadable(bucket) == []


LIST = """
import json, sys
from pathlib import Path
from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.errors import BadInput
bucket = FolderBucket(Path(sys.argv[1]))
try:
    with bucket.local("bob/p/secret.txt"):
        said = ""
except BadInput as error:
    said = str(error)
print(json.dumps([[(item.key, getattr(item, "reason", "")) for item in bucket.list()], said]))
"""


LIST_AFTER = """
import json, sys
from pathlib import Path
from ingest_assets.buckets.folder import FolderBucket
print(json.dumps([item.key for item in FolderBucket(Path(sys.argv[1])).list(after={after!r})]))
"""


def test_what_may_not_be_read_is_named_and_stops_nothing_else(tmp_path: Path) -> None:
    for name in ("ann/p/a.txt", "bob/p/secret.txt", "cid/p/c.txt", "lost+found/d"):
        lay(tmp_path / name)
    for name, mode in (("bob/p/secret.txt", 0o000), ("cid/p", 0o700), ("lost+found", 0o700)):
        if os.geteuid() == 0:
            os.chown(tmp_path / name, 1234, 1234)
        (tmp_path / name).chmod(mode if os.geteuid() == 0 else 0o000)
    listed, said = json.loads(run_bound_by_rights(LIST, str(tmp_path)))
    assert [key for key, reason in listed if not reason] == ["ann/p/a.txt", "bob/p/secret.txt"]
    assert [(key, "may not be read: give" in reason) for key, reason in listed if reason] == [
        ("cid/p", True),
        ("lost+found", True),
    ]
    assert said == "bob/p/secret.txt: it may not be read: give the service's user the right to"


def test_a_name_in_decomposed_letters_is_the_same_file(bucket: FolderBucket, tmp_path: Path) -> None:
    lay(tmp_path / "bucket/ann" / DECOMPOSED / f"{DECOMPOSED}.txt", "from a Mac")
    key = f"ann/{COMPOSED}/{COMPOSED}.txt"
    assert keys(bucket) == [key]
    for typed in (key, unicodedata.normalize("NFD", key)):
        assert bucket.stat(typed) == next(bucket.list())
        with bucket.local(typed) as path:
            assert path.read_text() == "from a Mac"
    put(bucket, tmp_path, key, "anew")
    assert keys(bucket) == [key]
    bucket.delete(key)
    assert keys(bucket) == []


def test_two_names_that_differ_only_in_their_form_are_named_and_one_is_read(
    bucket: FolderBucket, tmp_path: Path
) -> None:
    for folder in (DECOMPOSED, COMPOSED):
        lay(tmp_path / "bucket/ann" / folder / "a.txt", folder)
        lay(tmp_path / "bucket/ann" / folder / f"only-{len(folder)}.txt", folder)
    assert sorted(keys(bucket)) == [f"ann/{COMPOSED}/{name}.txt" for name in ("a", "only-8", "only-9")]
    (place,) = unreadable(bucket)
    assert "two files have this name" in place.reason
    with bucket.local(f"ann/{COMPOSED}/a.txt") as path:
        assert path.read_text() == COMPOSED
    with bucket.local(f"ann/{COMPOSED}/only-9.txt") as path:
        assert path.read_text() == DECOMPOSED


def test_a_listing_is_in_the_order_of_the_keys_and_goes_on_behind_any_of_them(
    bucket: FolderBucket, tmp_path: Path
) -> None:
    # A folder `a` comes behind `a-b` and `a.txt`, because its keys begin with `a/` and "/" is greater than "-" and ".".
    for key in ("u/a/x.txt", "u/a-b/x.txt", "u/a.txt", "u/a0", "u/é/x", f"u/{DECOMPOSED}", "u/\U0001f600", "u/\uffee"):
        lay(tmp_path / "bucket" / key)
    (tmp_path / "bucket/empty").mkdir()
    listed = list(bucket.list())
    positions = [item.position for item in listed]
    assert positions == sorted(positions, key=str.encode)
    assert len(positions) == 9
    assert [item.key for item in listed if item.stored_key] == ["empty", f"u/{COMPOSED}"]
    for number, position in enumerate(positions, 1):
        assert list(bucket.list(after=position)) == listed[number:]
    assert [item.key for item in bucket.list(after="u/a/w")] == [
        item.key for item in listed[positions.index("u/a/x.txt") :]
    ]


def test_a_listing_that_goes_on_does_not_open_the_folders_before_it(bucket: FolderBucket, tmp_path: Path) -> None:
    for user in ("ann", "bob"):
        lay(tmp_path / "bucket" / user / "p/a.txt")
    code = LIST_AFTER.format(after="ann/p/z")
    (tmp_path / "bucket/ann").chmod(0o000)
    assert json.loads(run_bound_by_rights(code, str(tmp_path / "bucket"))) == ["bob/p/a.txt"]


@pytest.mark.parametrize("key", ["/etc/passwd", "ann//a.txt", "ann/./a.txt", "ann/p/", "../a.txt", "ann/p/a\0b", ""])
def test_a_key_that_no_listing_gives_is_not_put(bucket: FolderBucket, tmp_path: Path, key: str) -> None:
    lay(tmp_path / "source")
    with pytest.raises(BadInput):
        bucket.put(key, tmp_path / "source")
    assert list(bucket.list()) == []


def test_a_name_that_the_disk_cannot_hold_is_the_files_fault(bucket: FolderBucket, tmp_path: Path) -> None:
    lay(tmp_path / "source")
    lay(tmp_path / "bucket/ann/p/a.txt")
    for key in (f"ann/p/{'x' * 300}", "ann/p/a.txt/b.txt", "ann/p"):
        with pytest.raises(BadInput, match="rename it"):
            bucket.put(key, tmp_path / "source")
        assert bucket.stat(key) is None
    assert keys(bucket) == ["ann/p/a.txt"]

"""What every kind of bucket promises, on a folder, on a server of S3 and on one of Google Cloud Storage."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from ingest_assets.buckets.contract import Bucket
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import file_id_of
from ingest_assets.records import BucketObject, UnreadablePlace
from ingest_assets_tests.buckets.conftest import Place

DECOMPOSED, COMPOSED = (unicodedata.normalize(form, "Geschäft") for form in ("NFD", "NFC"))
HARD = [
    "ann/p/a,b.txt",
    "ann/p/a|b%25[1]*?.txt",
    "ann/p/two\nlines.txt",
    "ann/p/\U0001f600.txt",
    "ann/p/dots...",
    "ann/p/+ =&#:;'\".txt",
    "ann/p/" + "/".join(["x" * 190] * 5),
    "ann/p/文件/é.pdf",
    " ann/ p/ edge ",
]


def put(bucket: Bucket, tmp_path: Path, key: str, data: bytes = b"words") -> BucketObject:
    (tmp_path / "source").write_bytes(data)
    return bucket.put(key, tmp_path / "source")


def keys(bucket: Bucket, *, after: str = "") -> list[str]:
    return [item.key for item in bucket.list(after=after)]


def read(bucket: Bucket, key: str, *, version: str = "") -> bytes:
    with bucket.local(key, version=version) as path:
        return path.read_bytes()


def test_what_is_put_is_listed_read_and_removed_under_hard_keys_too(bucket: Bucket, tmp_path: Path) -> None:
    for number, key in enumerate(HARD):
        put(bucket, tmp_path, key, b"%d" % number)
    assert keys(bucket) == sorted(HARD, key=str.encode)
    for number, key in enumerate(HARD):
        assert read(bucket, key) == b"%d" % number
        bucket.delete(key)
        assert bucket.stat(key) is None
    assert keys(bucket) == []


def test_put_list_and_stat_agree(bucket: Bucket, tmp_path: Path) -> None:
    given = put(bucket, tmp_path, "ann/p/a.txt", b"hello")
    assert given.size_bytes == 5
    assert given == bucket.stat("ann/p/a.txt") == next(bucket.list())


def test_other_bytes_are_another_version_and_an_untouched_object_keeps_its_version(
    bucket: Bucket, tmp_path: Path
) -> None:
    first = put(bucket, tmp_path, "ann/p/a.txt", b"one")
    assert bucket.stat("ann/p/a.txt") == first
    second = put(bucket, tmp_path, "ann/p/a.txt", b"two")
    assert second.version != first.version
    assert read(bucket, "ann/p/a.txt", version=second.version) == b"two"
    with pytest.raises(BadInput, match="changed while it was being read"):
        read(bucket, "ann/p/a.txt", version=first.version)


def test_a_listing_is_in_the_order_of_the_keys_and_goes_on_behind_any_of_them(bucket: Bucket, place: Place) -> None:
    names = ["u/a/x.txt", "u/a-b/x.txt", "u/a.txt", "u/a0", "u/é/x", f"u/{DECOMPOSED}", "u/\U0001f600", "u/\uffee"]
    for name in names:
        place.write(name, b"x")
    listed = list(bucket.list())
    positions = [item.position for item in listed]
    assert positions == sorted(names, key=str.encode)
    for number, position in enumerate(positions, 1):
        assert list(bucket.list(after=position)) == listed[number:]
    assert keys(bucket, after="u/a/w")[0] == "u/a/x.txt"


@pytest.mark.parametrize("name", [".hidden", "a.pdf.part", "~$q3.docx", "a.TMP", "Thumbs.db"])
def test_hidden_unfinished_and_system_files_are_not_objects(
    bucket: Bucket, place: Place, tmp_path: Path, name: str
) -> None:
    place.write(f"ann/p/{name}", b"half")
    assert list(bucket.list()) == []
    assert bucket.stat(f"ann/p/{name}") is None
    with pytest.raises(BadInput, match="rename it"):
        put(bucket, tmp_path, f"ann/p/{name}")


@pytest.mark.parametrize("key", ["/etc/passwd", "ann//a.txt", "ann/./a.txt", "ann/p/", "../a.txt", "ann/p/a\0b", ""])
def test_a_key_that_is_no_path_is_not_put(bucket: Bucket, tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput, match="out of the bucket"):
        put(bucket, tmp_path, key)
    assert list(bucket.list()) == []


def test_a_key_that_is_too_long_is_the_files_fault(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="rename it"):
        put(bucket, tmp_path, "ann/p/" + "x" * 1020)


def test_the_mark_is_made_once_and_is_no_object(bucket: Bucket, place: Place) -> None:
    before = bucket.identity()
    bucket.prepare()
    assert before == place.open().identity() != ""
    assert list(bucket.list()) == []


def test_an_object_that_is_not_there_is_none_and_its_removal_no_error(bucket: Bucket) -> None:
    assert bucket.stat("ann/p/a.txt") is None
    bucket.delete("ann/p/a.txt")
    with pytest.raises(BadInput, match="upload it again"):
        read(bucket, "ann/p/a.txt")


def test_nothing_is_gone_from_an_empty_bucket_without_a_mark(bucket: Bucket, place: Place, tmp_path: Path) -> None:
    put(bucket, tmp_path, "ann/p/a.txt")
    place.clear()
    with pytest.raises(OutsideError, match="--take-over"):
        bucket.stat("ann/p/a.txt")
    with pytest.raises(OutsideError, match="--take-over"):
        put(bucket, tmp_path, "ann/p/a.txt")
    bucket.prepare()
    assert bucket.stat("ann/p/a.txt") is None


def test_a_name_in_decomposed_letters_is_the_same_file(bucket: Bucket, place: Place, tmp_path: Path) -> None:
    key = f"ann/{COMPOSED}/{COMPOSED}.txt"
    for stored in (f"ann/{DECOMPOSED}/{DECOMPOSED}.txt", f"ann/{COMPOSED}/{DECOMPOSED}.txt"):
        place.write(stored, b"from a Mac")
        (item,) = bucket.list()
        assert (item.key, item.stored_key) == (key, stored)
        for typed in (key, unicodedata.normalize("NFD", key)):
            assert bucket.stat(typed) == item
            assert read(bucket, typed) == b"from a Mac"
        put(bucket, tmp_path, key, b"anew")
        assert keys(bucket) == [key]
        assert read(bucket, key) == b"anew"
        bucket.delete(key)
        assert keys(bucket) == []


def test_two_names_that_differ_only_in_their_form_are_named_and_one_is_read(bucket: Bucket, place: Place) -> None:
    for name in (COMPOSED, DECOMPOSED):
        place.write(f"ann/{name}/a.txt", name.encode())
    item, other = sorted(bucket.list(), key=lambda each: isinstance(each, UnreadablePlace))
    assert item == bucket.stat(f"ann/{COMPOSED}/a.txt")
    assert isinstance(other, UnreadablePlace)
    assert (other.key, other.position) == (f"ann/{COMPOSED}/a.txt", f"ann/{DECOMPOSED}/a.txt")
    assert "two files have this name" in other.reason
    assert read(bucket, f"ann/{COMPOSED}/a.txt") == COMPOSED.encode()


def test_objects_in_no_project_are_named_or_belong_to_the_default_scope(place: Place, tmp_path: Path) -> None:
    plain, scoped = place.open(), place.open(INGEST_DEFAULT_SCOPE="team/inbox")
    plain.prepare()
    for stored in ("lonely.txt", "ann/lonely.txt", "ann/p/a.txt"):
        place.write(stored, stored.encode())
    for item in plain.list():
        if item.key != "ann/p/a.txt":
            with pytest.raises(BadInput, match="two folders deep"):
                file_id_of(item.key)
    mapped = {item.key: item.position for item in scoped.list()}
    assert mapped == {
        "team/inbox/ann/lonely.txt": "ann/lonely.txt",
        "ann/p/a.txt": "ann/p/a.txt",
        "team/inbox/lonely.txt": "lonely.txt",
    }
    for key, stored in mapped.items():
        assert scoped.stat(key) == scoped.stat(stored) in list(scoped.list())
        assert read(scoped, key) == stored.encode()
    assert put(scoped, tmp_path, "team/inbox/lonely.txt", b"anew").stored_key == "lonely.txt"
    assert read(plain, "lonely.txt") == b"anew"
    scoped.delete("team/inbox/lonely.txt")
    assert keys(plain) == ["ann/lonely.txt", "ann/p/a.txt"]
    assert scoped.stat("team/inbox/lonely.txt") is None


def test_of_two_objects_with_one_key_in_the_default_scope_one_is_named(place: Place) -> None:
    scoped = place.open(INGEST_DEFAULT_SCOPE="team/inbox")
    scoped.prepare()
    place.write("a.txt", b"outside")
    place.write("team/inbox/a.txt", b"inside")
    outside, inside = scoped.list()
    assert isinstance(outside, UnreadablePlace)
    assert "rename one" in outside.reason
    assert inside == scoped.stat("team/inbox/a.txt")
    assert read(scoped, "team/inbox/a.txt") == b"inside"


def test_a_forked_process_and_its_parent_use_the_bucket_side_by_side(bucket: Bucket, tmp_path: Path) -> None:
    for number in range(3):
        put(bucket, tmp_path, f"ann/p/{number}.txt", b"%d" % number)
    child = os.fork()
    if child == 0:
        right = all(read(bucket, f"ann/p/{number}.txt") == b"%d" % number for number in range(3))
        os._exit(0 if right and len(keys(bucket)) == 3 else 1)
    for number in range(3):
        assert read(bucket, f"ann/p/{number}.txt") == b"%d" % number
    assert len(keys(bucket)) == 3
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_bucket_that_is_not_there_is_an_error_for_every_question(place: Place, tmp_path: Path) -> None:
    bucket = place.open(INGEST_BUCKET=_elsewhere(place.url))
    (tmp_path / "source").write_bytes(b"x")
    for ask in (
        lambda: list(bucket.list()),
        lambda: bucket.stat("ann/p/a.txt"),
        lambda: read(bucket, "ann/p/a.txt"),
        lambda: bucket.put("ann/p/a.txt", tmp_path / "source"),
        bucket.identity,
    ):
        with pytest.raises(OutsideError, match=r"[Nn]othing is removed for it"):
            ask()


def _elsewhere(url: str) -> str:
    scheme, found, rest = url.rpartition("://")
    return f"{scheme}{found}no-such-{rest}" if found else f"{rest}-no-such"

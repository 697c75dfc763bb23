"""What every kind of bucket promises of an upload: it is seen once it has its key, and replaces only what it may."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingest_assets.buckets.contract import STAGING, Bucket, NameTaken, StagedObject
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets_tests.buckets.conftest import Place
from ingest_assets_tests.buckets.test_contract import COMPOSED, DECOMPOSED, HARD, keys, put, read

MB = 1_000_000


def staged(bucket: Bucket, *pieces: bytes) -> StagedObject:
    upload = bucket.stage()
    for piece in pieces:
        upload.write(piece)
    upload.finish()
    return upload


def test_an_upload_is_seen_when_it_has_its_key_and_not_before(bucket: Bucket) -> None:
    upload = bucket.stage()
    upload.write(b"first ")
    upload.write(b"last")
    assert keys(bucket) == []
    upload.finish()
    assert keys(bucket) == []
    published = upload.publish("ann/p/a.txt")
    assert published == bucket.stat("ann/p/a.txt") == next(bucket.list())
    assert read(bucket, "ann/p/a.txt", version=published.version) == b"first last"


@pytest.mark.parametrize("size", [0, 1, 5 << 20, 12 * MB + 7])
def test_every_size_arrives_whole(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    upload = staged(bucket, *(data[start : start + 700_001] for start in range(0, size, 700_001)))
    assert upload.publish("ann/p/a.bin").size_bytes == size
    assert read(bucket, "ann/p/a.bin") == data


def test_hard_keys_can_be_given(bucket: Bucket) -> None:
    for number, key in enumerate(HARD):
        staged(bucket, b"%d" % number).publish(key)
    assert keys(bucket) == sorted(HARD, key=str.encode)
    assert [read(bucket, key) for key in HARD] == [b"%d" % number for number in range(len(HARD))]


def test_another_process_gives_the_key_to_what_one_has_finished(bucket: Bucket, place: Place) -> None:
    upload = staged(bucket, b"words")
    other = place.open().staged(upload.name)
    published = other.publish("ann/p/a.txt")
    assert upload.publish("ann/p/a.txt") == published, "a second call changes nothing"
    assert read(bucket, "ann/p/a.txt") == b"words"


def test_a_file_is_never_replaced_unless_its_version_was_named(bucket: Bucket, tmp_path: Path) -> None:
    before = put(bucket, tmp_path, "ann/p/a.txt", b"one")
    upload = staged(bucket, b"two")
    with pytest.raises(NameTaken, match="there is a file of this name already"):
        upload.publish("ann/p/a.txt")
    put(bucket, tmp_path, "ann/p/a.txt", b"three")
    with pytest.raises(NameTaken):
        upload.publish("ann/p/a.txt", over=before.version)
    now = bucket.stat("ann/p/a.txt")
    assert now is not None
    assert upload.publish("ann/p/a.txt", over=now.version).version != now.version
    assert read(bucket, "ann/p/a.txt") == b"two"


def test_a_version_that_is_gone_is_not_replaced(bucket: Bucket, tmp_path: Path) -> None:
    before = put(bucket, tmp_path, "ann/p/a.txt", b"one")
    upload = staged(bucket, b"two")
    bucket.delete("ann/p/a.txt")
    with pytest.raises(NameTaken):
        upload.publish("ann/p/a.txt", over=before.version)
    assert keys(bucket) == []


def test_the_name_of_a_mac_is_replaced_where_it_lies(bucket: Bucket, place: Place) -> None:
    place.write(f"ann/p/{DECOMPOSED}.txt", b"from a Mac")
    before = bucket.stat(f"ann/p/{COMPOSED}.txt")
    assert before is not None
    staged(bucket, b"anew").publish(f"ann/p/{COMPOSED}.txt", over=before.version)
    assert keys(bucket) == [f"ann/p/{COMPOSED}.txt"]
    assert read(bucket, f"ann/p/{COMPOSED}.txt") == b"anew"


def test_an_upload_replaces_a_file_outside_of_projects_where_it_lies(place: Place) -> None:
    scoped = place.open(INGEST_DEFAULT_SCOPE="team/inbox")
    scoped.prepare()
    place.write("lonely.txt", b"one")
    before = scoped.stat("team/inbox/lonely.txt")
    assert before is not None
    published = staged(scoped, b"two").publish("team/inbox/lonely.txt", over=before.version)
    assert (published.key, published.stored_key) == ("team/inbox/lonely.txt", "lonely.txt")
    assert [item.position for item in scoped.list()] == ["lonely.txt"]


@pytest.mark.parametrize("key", ["ann/p/.hidden", "ann/p/a.part", "ann/../a.txt", "ann/p/" + "x" * 1020])
def test_a_key_that_the_bucket_does_not_take_is_the_files_fault(bucket: Bucket, key: str) -> None:
    upload = staged(bucket, b"words")
    with pytest.raises(BadInput):
        upload.publish(key)
    upload.publish("ann/p/a.txt")


def test_what_is_discarded_is_gone_whether_finished_or_not(bucket: Bucket, place: Place) -> None:
    half = bucket.stage()
    half.write(b"x" * 6 * MB)
    half.discard()
    whole = staged(bucket, b"words")
    whole.discard()
    whole.discard()
    assert bucket.sweep_staged(before=time.time() + 60) == 0
    with pytest.raises(BadInput):
        place.open().staged(whole.name).publish("ann/p/a.txt")


def test_a_sweep_removes_what_a_killed_process_left_and_keeps_what_is_young_or_asked_for(bucket: Bucket) -> None:
    child = os.fork()
    if child == 0:
        bucket.stage().write(b"x" * 6 * MB)
        os._exit(0)
    os.waitpid(child, 0)
    old, kept = staged(bucket, b"old"), staged(bucket, b"kept")
    assert bucket.sweep_staged(before=time.time() - 60, keep=[kept.name]) == 0
    assert bucket.sweep_staged(before=time.time() + 60, keep=[kept.name]) >= 1
    with pytest.raises(BadInput):
        old.publish("ann/p/a.txt")
    assert kept.publish("ann/p/b.txt").size_bytes == 4


def test_nothing_is_uploaded_to_a_bucket_that_is_empty_and_has_no_mark(bucket: Bucket, place: Place) -> None:
    place.clear()
    with pytest.raises(OutsideError, match="--take-over"):
        bucket.stage()


def test_an_object_below_the_folder_of_uploads_is_none_of_the_buckets(bucket: Bucket, place: Place) -> None:
    place.write(f"{STAGING}/p/a.txt", b"x")
    assert list(bucket.list()) == []
    assert bucket.stat(f"{STAGING}/p/a.txt") is None

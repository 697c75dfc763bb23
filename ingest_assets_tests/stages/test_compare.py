from __future__ import annotations

import unicodedata

from ingest_assets.file_ids import file_id_of
from ingest_assets.records import BucketObject, UnreadablePlace
from ingest_assets.stages.compare import Changes, compare

NOW = 1_000.0


def item(name: str, *, version: str = "v1", age_s: float = 60.0) -> BucketObject:
    return BucketObject(key=f"ann/p/{name}", size_bytes=1, version=version, modified_at=NOW - age_s)


def look(
    *listing: BucketObject, seen: dict[str, str] | None = None, missed: frozenset[str] = frozenset(), **ledger: str
) -> Changes:
    versions = {f"ann:p:{name}": version for name, version in ledger.items()}
    return compare(listing, ledger=versions, seen=seen or {}, missed=missed, now=NOW, settle_s=5)


def test_a_new_file_is_taken_up_at_the_second_look() -> None:
    first = look(item("a"))
    assert first.arrivals == ()
    second = look(item("a"), seen=first.unsettled)
    assert [arrival.file_id for arrival in second.arrivals] == ["ann:p:a"]
    assert second.unsettled == {}


def test_a_file_that_grew_since_the_last_look_waits() -> None:
    first = look(item("a", version="half"))
    second = look(item("a", version="whole"), seen=first.unsettled)
    assert second.arrivals == ()
    assert len(look(item("a", version="whole"), seen=second.unsettled).arrivals) == 1


def test_a_file_written_a_moment_ago_waits_though_it_looks_the_same() -> None:
    first = look(item("a", age_s=1))
    assert look(item("a", age_s=4), seen=first.unsettled).arrivals == ()


def test_an_unchanged_file_is_left_alone() -> None:
    changes = look(item("a"), a="v1")
    assert (changes.arrivals, changes.gone, changes.unchanged) == ((), (), 1)


def test_a_changed_file_is_taken_up_although_its_name_is_the_same() -> None:
    changes = look(item("a", version="v2"), seen={"ann/p/a": "v2"}, a="v1")
    assert [arrival.version for arrival in changes.arrivals] == ["v2"]


def test_a_deleted_file_is_gone_at_the_second_look() -> None:
    first = look(item("a"), a="v1", b="v1")
    assert first.gone == ()
    assert look(item("a"), missed=first.missing, a="v1", b="v1").gone == ("ann:p:b",)


def test_a_renamed_file_arrives_before_its_old_name_goes() -> None:
    first = look(item("new"), old="v1")
    assert (first.arrivals, first.gone) == ((), ())
    second = look(item("new"), seen=first.unsettled, missed=first.missing, old="v1")
    assert [arrival.file_id for arrival in second.arrivals] == ["ann:p:new"]
    assert second.gone == ("ann:p:old",)


def test_a_partition_without_record_or_object_is_gone_too() -> None:
    missed = {"ann:p:z"}
    changes = compare([], ledger={}, partitions=["ann:p:z"], seen={}, missed=missed, now=NOW, settle_s=5)
    assert changes.gone == ("ann:p:z",)


def test_a_file_put_back_after_its_purge_is_new() -> None:
    assert len(look(item("a"), seen={"ann/p/a": "v1"}).arrivals) == 1


def test_a_misplaced_file_is_named_and_stops_nobody() -> None:
    lonely = BucketObject(key="lonely.pdf", size_bytes=1, version="v1", modified_at=0)
    changes = look(lonely, item("a"), seen={"ann/p/a": "v1"})
    assert len(changes.arrivals) == 1
    assert "lonely.pdf" in changes.misplaced[0]


def test_the_oldest_comes_first() -> None:
    seen = {"ann/p/a": "v1", "ann/p/b": "v1"}
    changes = look(item("a", age_s=10), item("b", age_s=20), seen=seen)
    assert [arrival.key for arrival in changes.arrivals] == ["ann/p/b", "ann/p/a"]


def test_files_below_a_place_that_cannot_be_read_are_not_gone_and_it_is_named() -> None:
    ledger = {"ann:p:a": "v1", "ann:pq:b": "v1", "bob:p:c": "v1"}
    places = [
        UnreadablePlace("ann/p", "ann/p: it may not be read"),
        UnreadablePlace("lost+found", "lost+found: neither"),
    ]
    changes = compare(places, ledger=ledger, seen={}, missed=ledger, now=NOW, settle_s=5)
    assert changes.gone == ("ann:pq:b", "bob:p:c")
    assert changes.unreadable == ("ann/p: it may not be read", "lost+found: neither")


def test_the_files_of_a_user_whose_folder_is_empty_are_kept() -> None:
    places = [UnreadablePlace(name, f"{name}: the folder is empty", is_empty=True) for name in ("ann", "new")]
    ledger = {"ann:p:a": "v1"}
    changes = compare(places, ledger=ledger, seen={}, missed=ledger, now=NOW, settle_s=5)
    assert (changes.gone, changes.unreadable) == ((), ("ann: the folder is empty",))


def test_nothing_is_gone_from_a_bucket_without_a_mark_and_without_a_known_file() -> None:
    ledger = {"ann:p:a": "v1", "ann:p:b": "v1"}

    def changes(*listing: BucketObject) -> Changes:
        return compare(listing, ledger=ledger, seen={}, missed=ledger, now=NOW, settle_s=5, is_marked=False)

    assert changes().gone == changes(item("other")).gone == changes(item("a", version="v2")).gone == ()
    assert not changes().is_known_bucket
    assert changes(item("a")).gone == ("ann:p:b",)


def test_a_restored_bucket_without_a_mark_is_known_by_most_of_the_names() -> None:
    ledger = {f"ann:p:{name}": "v1" for name in "abc"}
    restored = [item(name, version="v2") for name in "ab"]
    changes = compare(restored, ledger=ledger, seen={}, missed=ledger, now=NOW, settle_s=0, is_marked=False)
    assert ([arrival.key for arrival in changes.arrivals], changes.gone) == (["ann/p/a", "ann/p/b"], ("ann:p:c",))


def test_a_bucket_without_a_mark_is_not_known_by_an_empty_ledger_while_files_of_it_are_partitions() -> None:
    away = compare(
        [], ledger={}, partitions=["ann:p:a"], seen={}, missed=["ann:p:a"], now=NOW, settle_s=5, is_marked=False
    )
    assert (away.gone, away.is_known_bucket) == ((), False)


def test_a_record_in_decomposed_letters_is_the_file_that_is_there() -> None:
    old = unicodedata.normalize("NFD", "ann:p:ü")
    there = BucketObject(key="ann/p/ü", size_bytes=1, version="v1", modified_at=0)
    changes = compare([there], ledger={old: "v1"}, seen={}, missed={old}, now=NOW, settle_s=5)
    assert (changes.arrivals, changes.gone, changes.unchanged) == ((), (), 1)
    both = compare([there], ledger={old: "v0", file_id_of("ann/p/ü"): "v1"}, seen={}, missed={old}, now=NOW, settle_s=5)
    assert (both.arrivals, both.gone, both.unchanged) == ((), (old,), 1)
    away = compare([], ledger={old: "v1"}, seen={}, missed={old}, now=NOW, settle_s=5)
    assert away.gone == (old,)

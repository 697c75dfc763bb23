"""Test which limits a quota can name, and what it refuses."""

from __future__ import annotations

import pytest

from ingest_assets.access.quotas import Quota, Use, excess, read_quota
from ingest_assets.errors import BadInput


def test_limits_are_read_by_name_and_any_may_be_missing() -> None:
    assert read_quota("files=10, tokens=5", name="Q") == Quota(files=10, tokens=5)
    assert read_quota("", name="Q").is_unlimited


@pytest.mark.parametrize("text", ["pages=1", "files=0", "files=-1", "files=1,files=2", "files", "files=1.5", "files=²"])
def test_a_wrong_limit_is_refused_by_the_name_of_its_setting(text: str) -> None:
    with pytest.raises(BadInput, match=r"^Q: "):
        read_quota(text, name="Q")


def test_what_fills_a_quota_is_let_through_and_one_more_is_not() -> None:
    quota = Quota(files=3)
    assert excess(quota, Use(files=2), adding=Use(files=1)) is None
    found = excess(quota, Use(files=3), adding=Use(files=1))
    assert found is not None
    assert (found.what, found.ends_with_day) == ("3 files", False)


def test_megabytes_are_counted_in_bytes() -> None:
    assert excess(Quota(mb=1), Use(size_bytes=999_999), adding=Use(size_bytes=1)) is None
    assert excess(Quota(mb=1), Use(size_bytes=999_999), adding=Use(size_bytes=2)) is not None


def test_a_day_that_is_used_up_lets_nothing_more_through() -> None:
    assert excess(Quota(ocr_pages=5), Use(ocr_pages=4), adding=Use()) is None
    found = excess(Quota(ocr_pages=5), Use(ocr_pages=9), adding=Use())
    assert found is not None
    assert found.ends_with_day

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest_assets.stages.planning.first_window import Experience, first_window

PDF = "application/pdf"
FAILED = Experience(
    media_type=PDF, size_bytes=1_000_000, pages=100, pictures=0, window=8, cap_mb=400, peak_mb=390, out_of_memory=True
)
WENT_WELL = replace(FAILED, window=4, peak_mb=300, out_of_memory=False)


def window(*history: Experience, size_bytes: int = 1_200_000, pages: int = 90, cap_mb: int = 400) -> int:
    return first_window(history, media_type=PDF, size_bytes=size_bytes, pages=pages, cap_mb=cap_mb, largest=16)


def test_without_look_alikes_the_first_window_is_the_largest() -> None:
    assert window() == 16
    assert window(replace(FAILED, media_type="text/plain")) == 16


def test_what_a_look_alike_failed_with_is_not_tried_again() -> None:
    assert window(replace(FAILED, window=16), FAILED, WENT_WELL) == 4


@pytest.mark.parametrize(("size_bytes", "pages"), [(2_100_000, 100), (400_000, 100), (1_000_000, 300)])
def test_files_of_another_size_are_no_look_alikes(size_bytes: int, pages: int) -> None:
    assert window(FAILED, size_bytes=size_bytes, pages=pages) == 16


def test_unknown_pages_are_not_held_against_a_look_alike() -> None:
    assert window(replace(FAILED, pages=0)) == 4


def test_under_a_larger_cap_the_failure_says_nothing() -> None:
    assert window(FAILED, cap_mb=800) == 16


def test_a_success_that_would_not_fit_today_counts_for_half_its_window() -> None:
    assert window(WENT_WELL, cap_mb=250) == 2


def test_the_window_is_never_below_one_part() -> None:
    assert window(replace(FAILED, window=1)) == 1

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.stages.planning.attempts import MAX_UNREAD, Attempt, next_attempt, unread_from

PARSE = "parsed_documents"


def test_the_window_is_halved_down_to_one_part() -> None:
    windows, attempt = [], Attempt(window=21, cap_mb=300)
    while attempt.window > 1:
        then = next_attempt(attempt, stage="embeddings", number=None)
        assert isinstance(then, Attempt)
        assert then.cap_mb == 300
        attempt = then
        windows.append(attempt.window)
    assert windows == [10, 5, 2, 1]


def test_at_the_smallest_window_the_part_is_left_unread() -> None:
    attempt = Attempt(window=1, unread={PARSE: (7,), "image_captions": (2,)})
    then = next_attempt(attempt, stage=PARSE, number=9)
    assert isinstance(then, Attempt)
    assert then.unread == {PARSE: (7, 9), "image_captions": (2,)}
    assert then.leaves_out(PARSE) == {7, 9}


@pytest.mark.parametrize(
    ("unread", "number"),
    [((), None), ((7,), 7), ((1, 2, 3, 4), 5), (tuple(range(2, 2 * MAX_UNREAD + 2, 2)), 999)],
    ids=["nothing to leave out", "no progress", "four in a row", "too many"],
)
def test_there_is_an_end(unread: tuple[int, ...], number: int | None) -> None:
    attempt = Attempt(window=1, unread={PARSE: unread} if unread else {})
    assert isinstance(next_attempt(attempt, stage=PARSE, number=number), str)


@given(window=st.integers(1, 4096), numbers=st.lists(st.integers(1, 500), min_size=300, max_size=300))
def test_whatever_explodes_each_attempt_is_smaller_and_they_end(window: int, numbers: list[int]) -> None:
    attempt: Attempt | str = Attempt(window=window)
    for number in numbers:
        assert isinstance(attempt, Attempt)
        then = next_attempt(attempt, stage=PARSE, number=number)
        if isinstance(then, str):
            return
        smaller = then.window < attempt.window
        assert smaller or (then.window == 1 and len(then.leaves_out(PARSE)) > len(attempt.leaves_out(PARSE)))
        attempt = then
    raise AssertionError("no end after 300 attempts")


@given(st.dictionaries(st.sampled_from([PARSE, "image_captions"]), st.lists(st.integers(1, 9999), min_size=1)))
def test_what_is_unread_can_be_written_down_and_read_back(unread: dict[str, list[int]]) -> None:
    attempt = Attempt(window=1, unread={stage: tuple(numbers) for stage, numbers in unread.items()})
    assert unread_from(attempt.unread_text()) == attempt.unread


def test_what_is_no_such_text_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        unread_from("parsed_documents=seven")

"""Numbers are written as spreadsheets show them, and as the labels of lists."""

import pytest

from ingest_assets.parsers.building.numbers import list_label, number_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.30000000000000004, "0.3"),
        (12.0, "12"),
        ("1e3", "1000"),
        (1e300, "1e+300"),
        ("n/a", "n/a"),
        (float("inf"), "inf"),
        ("", ""),
    ],
)
def test_a_number_has_at_most_fifteen_digits(value: str | float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("count", "kind", "label"),
    [
        *[
            (3, "1", "3"),
            (5, "x", "5"),
            (1, "a", "a"),
            (26, "a", "z"),
            (27, "a", "aa"),
            (52, "A", "AZ"),
            (703, "a", "aaa"),
        ],
        *[
            (4, "i", "iv"),
            (1994, "I", "MCMXCIV"),
            (3999, "i", "mmmcmxcix"),
            (4000, "i", "4000"),
            (0, "a", "0"),
            (-2, "i", "-2"),
        ],
    ],
)
def test_an_item_has_the_label_of_its_list(count: int, kind: str, label: str) -> None:
    assert list_label(count, kind) == label

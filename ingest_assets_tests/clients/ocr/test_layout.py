"""The lines that OCR found become text with paragraphs, for any slant and resolution."""

from __future__ import annotations

import math
import random

import pytest

from ingest_assets.clients.ocr.layout import Line, confidence_of, text_of

PROSE = "the old keeper wound the clock at dusk"
OTHER = "and rye was sold by the sack in winter"


def line(text: str, *, left: float = 0, top: float = 0, height: float = 20, width: float = 0) -> Line:
    width = width or 9.0 * len(text)
    return Line(text, left + width / 2, top + height / 2, width, height)


def column(text: str, *, left: float = 0, top: float = 0, rows: int = 6) -> list[Line]:
    return [line(f"{text} {row}", left=left, top=top + 24 * row) for row in range(rows)]


def joined(lines: list[Line]) -> str:
    return " ".join(one.text for one in lines)


def test_nothing_is_made_of_nothing() -> None:
    assert text_of([]) == ""
    assert confidence_of([]) is None


def test_rows_of_prose_are_joined_and_a_gap_ends_a_paragraph() -> None:
    first, second = column(PROSE), column(OTHER, top=200)
    assert text_of([*second, *first]) == f"{joined(first)}\n\n{joined(second)}"


def test_columns_are_read_one_after_the_other_whatever_stands_across_them() -> None:
    head, foot = line("A heading that runs over both of the columns below", left=100), column(PROSE * 2, top=400)
    left, right = column(PROSE, top=60, rows=12), column(OTHER, left=400, top=63, rows=12)
    text = " ".join(text_of([*right, *foot, *left, head]).split())
    assert text == " ".join(map(joined, ([head], left, right, foot)))


def test_cells_are_read_across() -> None:
    cells = [(f"item {row}", f"{row}.50 EUR", f"{row * 7} pieces") for row in range(10, 18)]
    lines = [
        line(cell, left=200 * place, top=30 * row + place)
        for row, line_of_cells in enumerate(cells)
        for place, cell in enumerate(line_of_cells)
    ]
    assert text_of(lines).splitlines() == [" ".join(row) for row in cells]


def test_labels_keep_their_line_ends() -> None:
    labels = ["Rain gauge", "Anemometer: 14 m/s", "Next visit in May"]
    assert text_of([line(text, top=26 * row) for row, text in enumerate(labels)]) == "\n".join(labels)


def test_a_word_that_a_line_end_divides_is_put_together() -> None:
    rows = ["it was the longest descrip-", "tion of a self-winding clock,", "of any self-", "winding clock at all"]
    text = text_of([line(text, top=24 * row, width=260) for row, text in enumerate(rows)])
    assert "longest description of a self-winding clock, of any self-winding clock" in text


def test_boxes_as_high_as_their_letters_happen_to_be_are_of_one_paragraph() -> None:
    lines = [line(one.text, top=24 * row + 3 * (row % 2), height=24 - 5 * (row % 2)) for row, one in
             enumerate(column(PROSE, rows=9))]  # fmt: skip
    assert text_of(lines) == joined(lines)


@pytest.mark.parametrize("degrees", [-4, 3])
def test_a_slanting_page_is_read_as_if_it_were_straight(degrees: float) -> None:
    turn = math.radians(degrees)
    straight = [*column(PROSE, rows=12), *column(OTHER, left=400, rows=12)]
    slanting = [
        Line(
            one.text,
            one.x * math.cos(turn) - one.y * math.sin(turn),
            one.x * math.sin(turn) + one.y * math.cos(turn),
            one.width,
            one.height,
            turn,
        )
        for one in straight
    ]
    assert text_of(slanting) == text_of(straight)


def test_a_label_on_its_side_comes_last_and_parts_no_rows() -> None:
    lines = column(PROSE)
    label = Line("Rainfall in millimetres", -40, 80, 20, 200)
    assert text_of([label, *lines]) == f"{joined(lines)}\n\n{label.text}"


def test_the_text_does_not_depend_on_the_order_of_detection() -> None:
    dice = random.Random(3)
    lines = [line(f"{number} {PROSE}", left=number * 37 % 500, top=number * 53 % 400) for number in range(30)]
    text = text_of(lines)
    for _ in range(5):
        dice.shuffle(lines)
        assert text_of(lines) == text


def test_confidence_is_the_mean_over_characters() -> None:
    long, short = Line("a" * 30, 0, 0, 9, 9, score=1.0), Line("b" * 10, 0, 0, 9, 9, score=0.6)
    assert confidence_of([long, short]) == pytest.approx(0.9)

"""The lines that OCR found are put into columns in reading order."""

from __future__ import annotations

from ingest_assets.clients.ocr.columns import columns
from ingest_assets.parsers.page_layout.runs import Run

WIDE = "prose that runs on and fills its column"


def run(text: str, *, left: float, top: float, order: int, width: float = 0.0) -> Run:
    return Run(text, left, -top - 10, left + (width or 5.0 * len(text)), -top, 10, order=order)


def numbered(placed: list[tuple[str, float, float]]) -> list[Run]:
    return [run(text, left=left, top=top, order=order) for order, (text, left, top) in enumerate(placed)]


def texts(runs: list[Run]) -> list[list[str]]:
    return [[one.text for one in column] for column in columns(runs)]


def prose(name: str, *, left: float, top: float = 0.0, rows: int = 6) -> list[tuple[str, float, float]]:
    return [(f"{name} {row} {WIDE}", left, top + 12 * row) for row in range(rows)]


def names(runs: list[Run]) -> list[str]:
    return [" ".join(text.split()[0] for text in column) for column in texts(runs)]


def test_three_columns_are_read_from_left_to_right() -> None:
    placed = [*prose("c", left=500), *prose("a", left=0), *prose("b", left=250, top=1)]
    assert names(numbered(placed)) == ["a a a a a a", "b b b b b b", "c c c c c c"]


def test_what_crosses_a_gutter_divides_the_page_into_bands() -> None:
    upper = [*prose("a", left=0), *prose("b", left=250)]
    lower = [*prose("c", left=0, top=120), *prose("d", left=250, top=120)]
    heading = ("heading " + "over both of the columns " * 3, 0.0, 95.0)
    assert [name.split()[0] for name in names(numbered([*lower, heading, *upper]))] == ["a", "b", "heading", "c", "d"]


def test_a_heading_below_both_columns_belongs_to_what_follows_it() -> None:
    below = ("over both of the columns and more of it " * 2, 0.0, 130.0)
    placed = [*prose("a", left=0), *prose("b", left=250), ("Heading", 0.0, 100.0), below]
    assert names(numbered(placed)) == ["a a a a a a", "b b b b b b", "Heading", "over"]


def test_an_advertisement_beside_a_column_of_prose_is_read_by_itself() -> None:
    advertisement = [(word, 260.0, 9.0 + 17.0 * row) for row, word in enumerate(["Fresh", "rye", "by the", "sack"])]
    assert names(numbered([*prose("a", left=0, rows=8), *advertisement])) == ["a a a a a a a a", "Fresh rye by sack"]


def test_a_table_stays_in_one_piece() -> None:
    places = (("a", 0.0), ("b", 90.0), ("c", 180.0))
    cells = [(f"{name}{row}", left, 14.0 * row + row % 2) for row in range(9) for name, left in places]
    assert len(columns(numbered(cells))) == 1


def test_amounts_beside_their_items_stay_on_their_rows() -> None:
    amounts = [(f"{row}.50", 260.0, 24.0 * row) for row in range(4)]
    assert len(columns(numbered([*prose("item", left=0, rows=8), *amounts]))) == 1

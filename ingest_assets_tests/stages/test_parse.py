from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import openpyxl

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.text import csv_rows as tabular
from ingest_assets.parsers.xlsx import parser as spreadsheet
from ingest_assets.records import Element, ElementType, Part, Picture
from ingest_assets.stages.parse import parse


@dataclass
class Book:
    """A parser whose parts are given."""

    parts: list[Part]
    VERSION: str = "1"
    PART: str = "page"

    def count_pages(self, path: Path, *, limits: Limits) -> int:
        return len(self.parts)

    def read(self, path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
        return (part for part in self.parts if part.number >= start)


def title(text: str, level: int) -> Element:
    return Element(ElementType.TITLE, text, level=level)


def prose(text: str) -> Element:
    return Element(ElementType.NARRATIVE_TEXT, text)


def picture(name: str) -> Picture:
    return Picture(sha256=name, media_type="image/png", width=9, height=9, data=name.encode())


BOOK = Book(
    [
        Part(1, (title("Book", 1), prose("a"), title("One", 2), prose("b")), (picture("x"),)),
        Part(2, (prose("c"), title("Two", 2), prose("d")), (picture("x"), picture("y"))),
        Part(3, (title("Deep", 4), prose("e"), title("Next", 1), prose("f")), (picture("y"),)),
    ]
)


def run(book: Book, *, finished: list[Part] | None = None, limits: Limits | None = None) -> list[Part]:
    kept: dict[str, bytes] = {}
    return list(parse(Path(), parser=book, limits=limits or Limits(), keep=kept.__setitem__, finished=finished or []))


def test_each_element_stands_under_its_titles_also_across_parts() -> None:
    sections = {element.text: element.section for part in run(BOOK) for element in part.elements}
    assert sections["a"] == ("Book",)
    assert sections["c"] == ("Book", "One")
    assert sections["d"] == ("Book", "Two")
    assert sections["e"] == ("Book", "Two", "Deep")
    assert sections["f"] == ("Next",)
    assert sections["Two"] == ("Book",)


def test_a_picture_comes_once_per_document_without_its_bytes() -> None:
    pictures = [picture for part in run(BOOK) for picture in part.pictures]
    assert [picture.sha256 for picture in pictures] == ["x", "y"]
    assert all(picture.data == b"" for picture in pictures)


def test_the_bytes_of_each_picture_are_kept_once() -> None:
    kept: list[str] = []
    list(parse(Path(), parser=BOOK, limits=Limits(), keep=lambda name, _: kept.append(name)))
    assert kept == ["x", "y"]


def test_going_on_after_finished_parts_yields_what_one_run_would_have() -> None:
    whole = run(BOOK)
    for done in range(len(whole) + 1):
        assert whole[:done] + run(BOOK, finished=whole[:done]) == whole


def test_too_many_pictures_are_left_out_with_a_warning() -> None:
    parts = run(BOOK, limits=Limits(max_pictures=1))
    assert [len(part.pictures) for part in parts] == [1, 0, 0]
    assert "1 pictures left out" in parts[1].warnings[0]


def test_scanned_pages_do_not_count_against_the_pictures_of_a_file() -> None:
    scans = [Part(number, pictures=(replace(picture(f"page {number}"), is_page=True),)) for number in range(2, 6)]
    parts = run(Book([Part(1, pictures=(picture("x"), picture("y"))), *scans]), limits=Limits(max_pictures=1))
    assert [len(part.pictures) for part in parts] == [1, 1, 1, 1, 1]
    assert [bool(part.warnings) for part in parts] == [True, False, False, False, False]


def test_a_part_that_does_not_fit_stands_with_its_problem_and_is_never_read() -> None:
    whole = run(BOOK)
    parts = run(BOOK, limits=Limits(unread=frozenset({2})))
    assert [part.number for part in parts] == [1, 2, 3]
    assert (parts[1].elements, parts[1].page_number) == ((), 2)
    assert "page 2 needs more memory" in parts[1].problem
    assert parts[0] == whole[0]


def test_what_was_left_unread_before_stays_finished() -> None:
    limits = Limits(unread=frozenset({1, 2}))
    whole = run(BOOK, limits=limits)
    for done in range(len(whole) + 1):
        assert whole[:done] + run(BOOK, finished=whole[:done], limits=limits) == whole


def test_a_block_of_rows_that_was_left_unread_is_named_by_its_place(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("name,count\n" + "".join(f"lamp {number},{number}\n" for number in range(500)))
    workbook = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    for row in range(500):
        book.active.append([f"lamp {row}", row])
    book.save(workbook)
    for path, parser, place in (
        (table, tabular, "row 201,"),
        (workbook, spreadsheet, "row 201 of sheet 1,"),
    ):
        limits = Limits(unread=frozenset({2}))
        parts = list(parse(path, parser=parser, limits=limits, keep=lambda name, data: None))
        assert [bool(part.problem) for part in parts] == [False, True, False]
        assert f"block of rows 2, behind {place}" in parts[1].problem

"""Headings, footnotes, margins and outlines of PDFs are found in small files, one kind per file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf.opening import opened
from ingest_assets.parsers.pdf.outline import MAX_LEVEL, outline_level, read_outline
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.pdf.pdf_files import PROSE, SECOND, Line, Page, column, elements, text_of, write

BODY = column(PROSE, x=60, top=640, rows=8)


def titles(path: Path) -> list[tuple[int, str]]:
    return [(element.level, element.text) for element in elements(path) if element.type is ElementType.TITLE]


def with_outline(path: Path, lines: Sequence[Line], marks: Sequence[tuple[str, int | None, int | None]]) -> Path:
    """Write a page and bookmarks that lead to it: title, and which of them (from 0) is its next and its first child."""
    first = 10  # the outline's own object; the bookmarks follow it
    objects = [b"<</Type/Outlines/First %d 0 R/Count %d>>" % (first + 1, len(marks))]
    for title, after, child in marks:
        places = (b"/Next %d 0 R" % (first + 1 + after) if after is not None else b"") + (
            b"/First %d 0 R" % (first + 1 + child) if child is not None else b""
        )
        objects.append(b"<</Title(%s)/Dest[6 0 R/Fit]%s>>" % (title.encode("cp1252"), places))
    return write(path, [Page((*lines, *BODY))], catalog=b"/Outlines 10 0 R", objects=objects)


def test_a_line_that_the_outline_names_is_a_heading_of_its_level(tmp_path: Path) -> None:
    lines = (
        Line("2. Instruments", 60, 780, 16),
        Line("2.1 The rain gauge", 60, 740, 10),
        Line("An unnamed line of its own", 60, 710, 9),
    )
    marks = [("Instruments", None, 1), ("2.1  The  rain gauge", None, None)]
    assert titles(with_outline(tmp_path / "a.pdf", lines, marks)) == [(1, "2. Instruments"), (2, "2.1 The rain gauge")]


def test_numbers_tell_the_levels_where_all_bookmarks_are_on_one(tmp_path: Path) -> None:
    lines = (Line("3.1 First", 60, 780, 10), Line("3.1.1 Second", 60, 740, 10), Line("3.2 Third", 60, 710, 10))
    marks = [("3.1 First", 1, None), ("3.1.1 Second", 2, None), ("3.2 Third", None, None)]
    found = titles(with_outline(tmp_path / "a.pdf", lines, marks))
    assert found == [(1, "3.1 First"), (2, "3.1.1 Second"), (1, "3.2 Third")]


def test_an_outline_that_leads_in_circles_or_too_deep_ends(tmp_path: Path) -> None:
    deep = [(f"Level {level:02d}", None, level + 1) for level in range(40)]
    circle = [("First", 1, None), ("Second", 0, None)]
    for name, marks in (("deep.pdf", [*deep, ("Level 40", None, None)]), ("circle.pdf", circle)):
        path = with_outline(tmp_path / name, [], marks)
        with opened(path, limits=Limits()) as pdf:
            on_page = read_outline(pdf)[1]
        assert 1 <= len(on_page) <= 2 * MAX_LEVEL
        assert outline_level(marks[0][0], on_page) == 1


def test_sections_by_sign_and_centred_capitals_are_headings(tmp_path: Path) -> None:
    lines = (
        Line("PART 12 OF THE RULES", 60, 780, 16),
        Line("GENERAL PROVISIONS", 124, 740, 9),
        Line("§ 12.4 Who may visit the island.", 60, 700, 9, "B"),
        *BODY,
        Line("This one is bold and a sentence.", 60, 520, 9, "B"),
    )
    assert titles(write(tmp_path / "a.pdf", [Page(lines)])) == [
        (1, "PART 12 OF THE RULES"),
        (2, "GENERAL PROVISIONS"),
        (3, "§ 12.4 Who may visit the island."),
    ]


def test_captions_and_labels_of_figures_are_no_headings(tmp_path: Path) -> None:
    lines = (Line("P", 60, 780, 16), Line("Figure 3. Where the boat lands", 60, 740, 9, "B"), *BODY)
    assert titles(write(tmp_path / "a.pdf", [Page(lines)])) == []


def test_headings_in_the_margin_come_before_the_text_beside_them(tmp_path: Path) -> None:
    lines = []
    for section, top in enumerate((760, 660, 560), 1):
        lines += [Line(f"4.{section}", 40, top), Line("Care of", 40, top - 12), Line("the gauge", 40, top - 24)]
        lines += [Line(f"Text {section}{row} {PROSE}", 160, top - 12 * row) for row in range(5)]
    text = text_of(write(tmp_path / "a.pdf", [Page(tuple(lines))]))
    for section in (1, 2, 3):
        assert f"4.{section} Care of the gauge Text {section}0" in text


def test_small_print_below_the_text_that_begins_with_a_mark_is_a_footnote(tmp_path: Path) -> None:
    lines = (
        *BODY,
        Line("1 Measured in the winter of the storm", 60, 400, 7),
        Line("2 And again in spring", 60, 385, 7),
        *[line._replace(y=line.y - 40) for line in column(SECOND, x=60, top=780, rows=2)],
    )
    found = elements(write(tmp_path / "a.pdf", [Page(lines)]))
    notes = [element.text for element in found if element.type is ElementType.FOOTNOTE]
    assert notes == ["1 Measured in the winter of the storm", "2 And again in spring"]


def test_a_running_title_beside_the_page_number_is_a_header(tmp_path: Path) -> None:
    lines = (Line("Keeping a weather station", 60, 800, 9), Line("17", 500, 800, 9), *BODY)
    found = elements(write(tmp_path / "a.pdf", [Page(lines)]))
    assert (found[0].type, found[0].text) == (ElementType.HEADER, "Keeping a weather station 17")


def test_a_title_that_reads_like_the_running_line_is_the_title(tmp_path: Path) -> None:
    name = "Keeping a weather station"
    foot = Line(name, 60, 30, 9)
    pages = [Page((Line(name, 60, 800, 18), *BODY, foot)), *(Page((*BODY, foot)) for _ in range(4))]
    path = write(tmp_path / "a.pdf", pages)
    assert titles(path) == [(1, name)]
    assert [element.text for element in elements(path) if element.type is ElementType.FOOTER] == [name] * 5


@pytest.mark.parametrize("pattern", ["Question {}", "{}. What the station does"])
def test_a_heading_on_the_top_of_each_page_that_counts_up_is_no_running_line(tmp_path: Path, pattern: str) -> None:
    head, foot = Line("Annual report 2023", 60, 820, 14), "Page {} of 5"
    pages = [
        Page((head, Line(pattern.format(number), 60, 770, 14, "B"), *BODY, Line(foot.format(number), 60, 30, 9)))
        for number in range(1, 6)
    ]
    path = write(tmp_path / "a.pdf", pages)
    assert [text for _, text in titles(path)] == [pattern.format(number) for number in range(1, 6)]
    edges = [element.text for element in elements(path) if element.type in {ElementType.HEADER, ElementType.FOOTER}]
    assert edges == [text for number in range(1, 6) for text in ("Annual report 2023", foot.format(number))]

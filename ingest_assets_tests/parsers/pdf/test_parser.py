"""The PDF parser reads small files, one kind of content per file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.records import ElementType, Part
from ingest_assets_tests.parsers.pdf.pdf_files import (
    LIMITS,
    PROSE,
    SECOND,
    Line,
    Page,
    assert_in_order,
    column,
    elements,
    file_of,
    read,
    stream,
    text_of,
    write,
)


def test_columns_are_read_one_after_the_other_although_they_were_written_row_by_row(tmp_path: Path) -> None:
    both = zip(column(PROSE, x=60), column(SECOND, x=310), strict=True)
    path = write(tmp_path / "a.pdf", [Page(tuple(line for pair in both for line in pair))])
    assert_in_order(text_of(path), f"{PROSE} 00", f"{PROSE} 11", f"{SECOND} 00", f"{SECOND} 11")


def test_three_columns_are_read_from_left_to_right(tmp_path: Path) -> None:
    texts = ("alpha beta gamma delta epsilon", "one two three four five six", "red green blue white and black")
    lines = [line for i in (2, 0, 1) for line in column(texts[i], x=50 + 180 * i)]
    path = write(tmp_path / "a.pdf", [Page(tuple(lines))])
    assert_in_order(text_of(path), *(f"{text} {row}" for text in texts for row in ("00", "11")))


def test_a_title_across_columns_comes_first_and_one_between_them_parts_them(tmp_path: Path) -> None:
    upper = [*column(PROSE, x=60, rows=6), *column(SECOND, x=310, rows=6)]
    lower = [*column(PROSE.upper(), x=60, top=500, rows=6), *column(SECOND.upper(), x=310, top=500, rows=6)]
    titles = (
        Line("A title that runs across both columns of it", 60, 740, 18),
        Line("And a second one, further down on the page", 60, 570, 18),
    )
    path = write(tmp_path / "a.pdf", [Page((*lower, *upper, *titles))])
    assert_in_order(text_of(path), titles[0].text, PROSE, SECOND, titles[1].text, PROSE.upper(), f"{SECOND.upper()} 05")


def test_a_table_is_read_row_by_row(tmp_path: Path) -> None:
    cells = [(f"item {row}", f"{row}.50 EUR", f"{row * 7} pieces") for row in range(20, 30)]
    lines = [Line(cell, 60 + 180 * i, 700 - 14 * row) for row, line in enumerate(cells) for i, cell in enumerate(line)]
    path = write(tmp_path / "a.pdf", [Page(tuple(lines))])
    assert_in_order(text_of(path), *(" | ".join(row) for row in cells))


def test_labels_and_values_are_read_together_although_all_values_were_written_last(tmp_path: Path) -> None:
    pairs = [("Invoice", "2024-001"), ("Date", "3 May"), ("Customer", "Smith"), ("Amount", "17.20"), ("Due", "1 June")]
    labels = [Line(label, 60, 700 - 20 * i) for i, (label, _) in enumerate(pairs)]
    values = [Line(value, 200, 700 - 20 * i) for i, (_, value) in enumerate(pairs)]
    path = write(tmp_path / "a.pdf", [Page((*labels, *values))])
    assert_in_order(text_of(path), *(f"{label} {value}" for label, value in pairs))


def test_titles_have_levels_by_size_then_by_number(tmp_path: Path) -> None:
    lines = (
        Line("The Document", 60, 780, 24),
        Line("1 First chapter", 60, 740, 16),
        *column(PROSE, x=60, top=710, rows=4),
        Line("1.1 A section in bold", 60, 640, 9, "B"),
        *column(SECOND, x=60, top=620, rows=4),
        Line("2 Second chapter", 60, 540, 16),
        *column(PROSE, x=60, top=510, rows=4),
    )
    path = write(tmp_path / "a.pdf", [Page(lines)])
    titles = [(element.text, element.level) for element in elements(path) if element.type is ElementType.TITLE]
    assert titles == [
        ("The Document", 1),
        ("1 First chapter", 2),
        ("1.1 A section in bold", 3),
        ("2 Second chapter", 2),
    ]


def test_paragraphs_end_at_gaps_and_indents_and_list_items_stand_alone(tmp_path: Path) -> None:
    lines = (
        Line(f"First {PROSE} {PROSE}", 60, 700),
        Line("and it ends here.", 60, 688),
        Line(f"Second, indented, {PROSE} wide", 75, 676),
        Line(f"goes on to {PROSE} the full {SECOND[:12]}", 60, 664),
        Line("and ends.", 60, 652),
        Line("* an item", 60, 620),
        Line("* another item", 60, 608),
    )
    path = write(tmp_path / "a.pdf", [Page(lines)])
    found = [(element.type, element.text.split()[0]) for element in elements(path)]
    assert found == [
        (ElementType.NARRATIVE_TEXT, "First"),
        (ElementType.NARRATIVE_TEXT, "Second,"),
        (ElementType.LIST_ITEM, "*"),
        (ElementType.LIST_ITEM, "*"),
    ]


def test_a_word_broken_at_a_line_end_is_joined_and_a_compound_keeps_its_hyphen(tmp_path: Path) -> None:
    lines = (
        Line("A self-locking nut and other things are looked at, and a descrip-", 60, 700),
        Line("tion of each is given in this text, above all of the kind self-", 60, 688),
        Line("locking nut which is used in aeroplanes and elsewhere for long", 60, 676),
    )
    text = text_of(write(tmp_path / "a.pdf", [Page(lines)]))
    assert "a description of each" in text
    assert "kind self-locking nut" in text


def test_running_headers_and_page_numbers_are_told_from_the_text(tmp_path: Path) -> None:
    pages = [
        Page((Line("Annual Report", 60, 800), *column(f"{PROSE} {page}", x=60), Line(f"Page {page}", 300, 30)))
        for page in range(1, 6)
    ]
    found = elements(write(tmp_path / "a.pdf", pages))
    headers = [element.text for element in found if element.type is ElementType.HEADER]
    footers = [element.text for element in found if element.type is ElementType.FOOTER]
    assert headers == ["Annual Report"] * 5
    assert footers == [f"Page {page}" for page in range(1, 6)]


@pytest.mark.parametrize(("rotate", "matrix"), [(90, "0 1 -1 0"), (180, "-1 0 0 -1"), (270, "0 -1 1 0")])
def test_a_turned_page_is_read_in_order(tmp_path: Path, rotate: int, matrix: str) -> None:
    down = {90: (1, 0), 180: (0, 1), 270: (-1, 0)}[rotate]
    lines = [Line(f"{PROSE} {i}", 300 + 14 * i * down[0], 400 + 14 * i * down[1], matrix=matrix) for i in range(5)]
    path = write(tmp_path / "a.pdf", [Page(tuple(reversed(lines)), extra=b"/Rotate %d" % rotate)])
    assert_in_order(text_of(path), *(f"{PROSE} {i}" for i in range(5)))


def test_a_letter_beyond_the_first_plane_and_a_ligature_keep_the_words_around_them(tmp_path: Path) -> None:
    cmap = b"1 begincodespacerange <00><FF> endcodespacerange 2 beginbfchar <41> <D835DC65> <42> <FB01> endbfchar"
    path = write(tmp_path / "a.pdf", [Page((Line("let A be Bnal", 60, 700), Line("A word", 60, 680)))])
    font = b"/BaseFont/Helvetica/ToUnicode 10 0 R>>"
    body = path.read_bytes().replace(b"/BaseFont/Helvetica>>", font, 1)
    objects = [part.split(b"\nendobj")[0] for part in body.split(b" 0 obj\n")[1:]]
    path.write_bytes(file_of([*objects, stream(b"", cmap)]))
    text = text_of(path)
    assert "be final" in text
    assert "\U0001d465 word" in text


def test_blank_pages_are_empty_parts(tmp_path: Path) -> None:
    parts = read(write(tmp_path / "a.pdf", [Page(), Page()]))
    assert parts == [Part(1, page_number=1), Part(2, page_number=2)]


def test_a_field_s_value_stands_beside_its_label(tmp_path: Path) -> None:
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Ada Lovelace)/Rect[120 695 300 712]/F 4/DA(/F 10 Tf 0 g)>>"
    form = b"/AcroForm<</Fields[9 0 R]/DR<</Font<</F 3 0 R>>>>/DA(/F 10 Tf 0 g)>>"
    lines = (Line("Name:", 72, 700), Line("Town:", 72, 670))
    path = write(tmp_path / "a.pdf", [Page(lines)], catalog=form, annotation=field)
    assert_in_order(text_of(path), "Name: Ada Lovelace", "Town:")


def test_a_broken_page_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page((Line(f"page {i}", 72, 700),)) for i in (1, 2, 3)])
    body = path.read_bytes()
    second = body.index(b"/Type/Page/Parent", body.index(b"/Type/Page/Parent") + 1)
    path.write_bytes(body[:second] + b"/Type/Nope/Parent" + body[second + len(b"/Type/Page/Parent") :])
    parts = read(path)
    assert [part.number for part in parts] == [1, 2, 3]
    assert [part.problem.partition(" (")[0] for part in parts] == ["", "page 2 of 3 is broken", ""]
    assert parts[0].elements[0].text == "page 1"
    assert parts[2].elements[0].text == "page 3"


@pytest.mark.parametrize("start", [2, 13, 30])
def test_reading_from_a_later_page_yields_the_same_parts(tmp_path: Path, start: int) -> None:
    pages = [
        Page(
            (
                Line("Report", 60, 800),
                Line(f"Chapter {i}", 60, 750, 16),
                *column(f"{PROSE} {i}", x=60),
                Line(str(i), 300, 30),
            )
        )
        for i in range(1, 31)
    ]
    path = write(tmp_path / "a.pdf", pages)
    assert read(path, start=start) == read(path)[start - 1 :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"%PDF-1.7\n%%EOF", "damaged or truncated"),
        (b"not a PDF at all", "damaged or truncated"),
        (
            b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj",
            "damaged",
        ),
    ],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=reason):
        pdf.count_pages(path, limits=LIMITS)
    with pytest.raises(BadInput, match=reason):
        read(path)


def test_more_pages_than_allowed_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page()] * 4)
    assert pdf.count_pages(path, limits=LIMITS) == 4
    with pytest.raises(BadInput, match="4 pages, over the limit of 3"):
        pdf.count_pages(path, limits=Limits(max_pages=3))


def test_a_page_with_more_text_than_a_part_may_hold_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page(tuple(column(PROSE, x=60))), Page((Line("short", 60, 700),))])
    long, short = pdf.read(path, limits=Limits(max_part_chars=100))
    assert "over 100 characters" in long.problem
    assert short.elements[0].text == "short"


def test_importing_the_parser_does_not_import_pdfium() -> None:
    code = "import sys, ingest_assets.parsers.pdf.parser; sys.exit('pypdfium2' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("at", [0, 12])
def test_a_stamp_across_the_page_joins_no_lines_and_heads_nothing(tmp_path: Path, at: int) -> None:
    body = [
        Line(f"Line {number} of the page, which goes on to its margin", 72, 700 - 14 * number) for number in range(12)
    ]
    body.insert(at, Line("CONFIDENTIAL", 150, 500, 80, "F", "0.7 0.7 -0.7 0.7"))
    path = write(tmp_path / "a.pdf", [Page(tuple(body))])
    texts = text_of(path)
    assert " ".join(line.text for line in body if line.size == 10) in " ".join(texts.split())
    assert texts.count("CONFIDENTIAL") == 1
    assert not [element for element in elements(path) if element.type is ElementType.TITLE]

"""Test that sheets are read as a person sees them, and no larger than they are."""

from __future__ import annotations

import datetime
import io
import time
from pathlib import Path

import openpyxl
import pytest
from openpyxl.drawing.image import Image

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.xlsx import parser as spreadsheet
from ingest_assets_tests.parsers.reading import member, parts_of, png, rewritten, texts_of


def saved(workbook: openpyxl.Workbook, tmp_path: Path) -> Path:
    path = tmp_path / "made.xlsx"
    workbook.save(path)
    return path


def test_values_are_written_as_a_person_would(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append(["date", "time", "number", "share", "flag", "text"])
    sheet.append([datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 13, 5), 0.1 + 0.2, 0.25, True, "a|b\nc"])
    sheet.append([None, None, 1e6, None, False, "  "])
    sheet["D2"].number_format = "0%"
    assert texts_of(spreadsheet, saved(workbook, tmp_path)) == [
        "Sheet",
        "| date | time | number | share | flag | text |\n| --- | --- | --- | --- | --- | --- |\n"
        "| 2024-02-29 | 2024-02-29 13:05:00 | 0.3 | 25% | TRUE | a\\|b c |\n|  |  | 1000000 |  | FALSE |  |",
    ]


def test_merged_cells_are_repeated_and_headings_are_text(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append(["Report of the year"])
    sheet.merge_cells("A1:C1")
    sheet.append(["region", "sales", None])
    sheet.merge_cells("B2:C2")
    sheet.append(["North", 1, 2])
    sheet.append([None, 3, 4])
    sheet.merge_cells("A3:A4")
    assert texts_of(spreadsheet, saved(workbook, tmp_path)) == [
        "Sheet",
        "Report of the year",
        "| region | sales | sales |\n| --- | --- | --- |\n| North | 1 | 2 |\n| North | 3 | 4 |",
    ]


def test_rows_come_in_parts_with_the_header(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for number in range(500):
        workbook.active.append([f"id{number}", f"name {number}"])
    workbook.create_sheet("Empty")
    workbook.create_sheet("Secret").append(["hidden", "text"])
    workbook["Secret"].sheet_state = "hidden"
    path = saved(workbook, tmp_path)
    parts = parts_of(spreadsheet, path)
    assert [len(part.elements) for part in parts] == [2, 1, 1, 0, 2]
    assert all("| id0 | name 0 |" in part.elements[-1].text for part in parts[:3])
    assert "hidden" in parts[4].warnings[0]
    assert parts[4].elements[0].page_number == 3
    assert spreadsheet.count_pages(path, limits=Limits()) == 3
    assert parts_of(spreadsheet, path, start=3) == parts[2:]


def test_pictures_and_comments_follow_their_sheet(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["a", "b"])
    workbook.active["A1"].comment = openpyxl.comments.Comment("check this", "me")
    workbook.active.add_image(Image(io.BytesIO(png())), "C3")
    (part,) = parts_of(spreadsheet, saved(workbook, tmp_path))
    assert [element.type.value for element in part.elements] == ["Title", "Table", "Image", "NarrativeText"]
    assert part.elements[-1].text == "A1: check this"


def test_a_cell_at_the_far_corner_costs_nothing(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active["A1"], workbook.active["XFD1048576"] = "near", "far"
    path = saved(workbook, tmp_path)
    start = time.process_time()
    text = " ".join(texts_of(spreadsheet, path))
    assert "near" in text
    assert "far" in text
    assert time.process_time() - start < 5


def test_merged_ranges_without_end_cost_nothing(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for number in range(100):
        workbook.active.append([f"a{number}", f"b{number}", None, "wide"])
    path = saved(workbook, tmp_path)
    merge = b'</sheetData><mergeCells count="2"><mergeCell ref="D1:XFD1048576"/><mergeCell ref="A:B"/></mergeCells>'
    xml = member(path, "xl/worksheets/sheet1.xml").replace(b"</sheetData>", merge)
    start = time.process_time()
    texts = texts_of(spreadsheet, rewritten(path, tmp_path / "new.xlsx", {"xl/worksheets/sheet1.xml": xml}))
    assert "b99" in texts[-1]
    assert time.process_time() - start < 10


def test_a_broken_sheet_is_quarantined_and_the_others_are_read(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["a"])
    workbook.create_sheet("Good").append(["fine", "text"])
    path = saved(workbook, tmp_path)
    xml = member(path, "xl/worksheets/sheet1.xml").replace(b"</sheetData>", b"<row r='x'><c r='zz'>")
    parts = parts_of(spreadsheet, rewritten(path, tmp_path / "new.xlsx", {"xl/worksheets/sheet1.xml": xml}))
    assert "'Sheet' cannot be read" in parts[0].problem
    assert "| fine | text |" in parts[1].elements[-1].text


def test_too_many_sheets_are_refused(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.create_sheet("Two")
    with pytest.raises(BadInput, match="2 sheets, over the limit of 1"):
        spreadsheet.count_pages(saved(workbook, tmp_path), limits=Limits(max_pages=1))


def test_formats_and_escapes_are_read_as_they_are_shown(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append(["share", "rate", "time", "text"])
    sheet.append([0.5, 5, datetime.timedelta(hours=36, seconds=5), "one_x000D_\ntwo"])
    sheet["A2"].number_format, sheet["B2"].number_format, sheet["C2"].number_format = "0%", '0.0"%"', "[h]:mm:ss"
    (table,) = texts_of(spreadsheet, saved(workbook, tmp_path))[1:]
    assert table.splitlines()[-1] == "| 50% | 5 | 36:00:05 | one two |"


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1234, "00000", "01234"),
        (1234, "00000;-00000", "01234"),
        (123456789, "000-00-0000", "123-45-6789"),
        (123456789, r"000\-00\-0000", "123-45-6789"),
        (301234567, '"0"00 000 00 00', "030 123 45 67"),
        (30123456, r"\(00\)\ 0000\-0000", "(00) 3012-3456"),
        (1234567, "00000", "1234567"),
        (1234567, "(00)000", "(1234)567"),
        (1234, "[Red]00000_)", "01234"),
        (12345, '"INV-"0000', "INV-12345"),
        (3, "0/0", "3"),
        (12, "0.00 0", "12"),
        (12, "[>9]000;0", "12"),
        (1e300, "00", f"{1e300:.0f}"),
        (7, "0", "7"),
        (7, "0.00", "7"),
        (7.5, "00000", "7.5"),
        (-7, "00000", "-7"),
        (7, "#,##0", "7"),
        (0, "000", "000"),
    ],
)
def test_numbers_that_are_shown_with_all_their_digits(tmp_path: Path, value: float, code: str, text: str) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["a", "b"])
    workbook.active.append([value, "x"])
    workbook.active["A2"].number_format = code
    _, table = texts_of(spreadsheet, saved(workbook, tmp_path))
    assert table.splitlines()[-1] == f"| {text} | x |"


def test_a_long_list_is_a_table_of_one_column(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for number in range(9):
        workbook.active.append([f"entry {number}"])
    (table,) = texts_of(spreadsheet, saved(workbook, tmp_path))[1:]
    assert table.splitlines()[0] == "| entry 0 |"
    assert len(table.splitlines()) == 10


def test_a_formula_without_a_saved_value_is_read_as_written(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for row in (["a", "b", "sum"], [1, 2, "=A2+B2"], [3, None, "=A3"]):
        workbook.active.append(row)
    (table,) = texts_of(spreadsheet, saved(workbook, tmp_path))[1:]
    assert table.splitlines()[2:] == ["| 1 | 2 | =A2+B2 |", "| 3 |  | =A3 |"]

"""Test Excel workbooks of 1997 to 2003: sheets and their rows."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.office97 import xls
from ingest_assets_tests.parsers.office97.office_files import workbook
from ingest_assets_tests.parsers.reading import file, parts_of, texts_of


def test_sheets_have_their_rows(tmp_path: Path) -> None:
    path = file(tmp_path, workbook([["name", "age"], ["Anna", 3.0], ["Bö", 0.1 + 0.2]], [["only"]]), "a.xls")
    assert detect(path, filename="x") == "application/vnd.ms-excel"
    assert xls.count_pages(path, limits=Limits()) == 2
    assert texts_of(xls, path) == [
        "Sheet1",
        "| name | age |\n| --- | --- |\n| Anna | 3 |\n| Bö | 0.3 |",
        "Sheet2",
        "| only |\n| --- |",
    ]


def test_parts_of_a_workbook_are_the_same_from_any_start(tmp_path: Path) -> None:
    sheet: list[list[str | float]] = [[f"row {number}", 1.0] for number in range(500)]
    path = file(tmp_path, workbook(sheet, sheet))
    parts = parts_of(xls, path)
    assert [part.page_number for part in parts] == [1, 1, 1, 2, 2, 2]
    assert parts_of(xls, path, start=3) == parts[2:]

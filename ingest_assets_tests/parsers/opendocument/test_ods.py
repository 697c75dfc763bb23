"""Test OpenDocument spreadsheets: rows, repeated rows and cells."""

from __future__ import annotations

import time
from pathlib import Path

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.opendocument import ods
from ingest_assets_tests.parsers.opendocument.odf_files import odf, row, sheet
from ingest_assets_tests.parsers.reading import parts_of


def test_sheets_are_pages_with_their_rows(tmp_path: Path) -> None:
    body = sheet("Ducks", row("name", "age"), row("Anna", "3")) + sheet("Empty") + sheet("Geese", row("n"), row("m"))
    path = odf(tmp_path, body, kind="spreadsheet")
    assert ods.count_pages(path, limits=Limits()) == 3
    parts = parts_of(ods, path)
    assert [part.page_number for part in parts] == [1, 2, 3]
    assert [e.text for e in parts[0].elements] == ["Ducks", "| name | age |\n| --- | --- |\n| Anna | 3 |"]
    assert parts[1].elements == ()


def test_a_billion_repeated_rows_are_a_hundred(tmp_path: Path) -> None:
    many = 'table:number-rows-repeated="1000000000"'
    wide = '<table:table-row><table:table-cell table:number-columns-repeated="1000000000"/></table:table-row>'
    body = sheet("S", row("h", "i"), row(attributes=many), wide, row("x", "y", attributes=many), row("z", "z"))
    start = time.process_time()
    (part,) = parts_of(ods, odf(tmp_path, body, kind="spreadsheet"))
    assert time.process_time() - start < 2
    assert part.elements[1].text.count("| x | y |") == 100
    assert part.elements[1].text.endswith("| z | z |")
    assert "is repeated 1,000,000,000 times; 100 of them were kept" in part.warnings[0]


def test_a_count_of_a_million_digits_is_ignored(tmp_path: Path) -> None:
    body = sheet("S", row("x", attributes=f'table:number-rows-repeated="{"9" * 1_000_000}"'))
    assert parts_of(ods, odf(tmp_path, body, kind="spreadsheet"))[0].elements

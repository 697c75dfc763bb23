"""Read an Excel workbook of 1997 to 2003 (XLS) as Markdown tables of up to 200 rows, sheet by sheet.

`xlrd` reads it, with one sheet in memory at a time. A formula is read as the value that Excel saved with it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import sheet_parts
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.numbers import number_text
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.building.sheet_parts import SheetRow
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import Part

VERSION = "1"
PART = "block of rows"

_WHAT = "an Excel workbook"


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the sheets.

    Raises:
        BadInput: damaged, encrypted, or more sheets than the limit.
    """
    workbook = _opened(path)
    try:
        sheets = int(workbook.nsheets)
    finally:
        workbook.release_resources()
    if sheets > limits.max_pages:
        raise BadInput(f"it has {sheets:,} sheets, over the limit of {limits.max_pages:,}; split the workbook")
    return sheets


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield each sheet's rows in blocks of 200 under the sheet's name and its first row.

    Raises:
        BadInput: damaged, or encrypted.
    """
    builder = PartBuilder(limits=limits, start=start)
    workbook = _opened(path)
    try:
        for page_number, title in enumerate(workbook.sheet_names(), start=1):
            rows = _rows(workbook, page_number - 1)
            yield from sheet_parts.parts(str(title), rows, builder=builder, page_number=page_number)
            workbook.unload_sheet(page_number - 1)
    finally:
        workbook.release_resources()
    yield from builder.rest()


def _opened(path: Path) -> Any:
    import xlrd

    with naming_damage(_WHAT):
        try:
            return xlrd.open_workbook(str(path), on_demand=True, ragged_rows=True, logfile=io.StringIO())
        except xlrd.XLRDError as error:
            if "encrypted" in str(error).lower():
                raise BadInput("the workbook is encrypted; upload it without a password") from error
            raise


def _rows(workbook: Any, number: int) -> Iterator[SheetRow]:
    sheet = workbook.sheet_by_index(number)
    for row in range(sheet.nrows):
        texts = {column: _text(cell, workbook) for column, cell in enumerate(sheet.row(row), start=1)}
        texts = {column: text for column, text in texts.items() if text.strip()}
        if texts:
            yield row + 1, texts


def _text(cell: Any, workbook: Any) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            moment = xlrd.xldate_as_datetime(cell.value, workbook.datemode)
        except (ValueError, OverflowError):
            return number_text(repr(cell.value))
        if cell.value < 1:
            return f"{moment:%H:%M:%S}"
        return f"{moment:%Y-%m-%d}" if cell.value == int(cell.value) else f"{moment:%Y-%m-%d %H:%M:%S}"
    if cell.ctype == xlrd.XL_CELL_NUMBER:
        return number_text(repr(cell.value))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return str(cell.value)

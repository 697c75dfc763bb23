"""Read an Excel workbook as Markdown tables of up to 200 rows, sheet by sheet, each followed by its pictures and notes.

Rows are streamed from the sheet reader of `openpyxl`. `unstructured` loads every sheet through pandas, which makes a
cell of everything that a sheet claims to use: a sheet of the corpus claims 1,048,496 rows and has eight. A formula is
read as the value that Excel saved with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import sheet_parts
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.ooxml import package as ooxml
from ingest_assets.parsers.xlsx import drawings as spreadsheet_drawings
from ingest_assets.parsers.xlsx.cells import rows_of
from ingest_assets.records import Part

VERSION = "3"
PART = "block of rows"


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the sheets.

    Raises:
        BadInput: damaged, encrypted, a bomb, no workbook, or more sheets than the limit.
    """
    with ooxml.opened(path, limits=limits) as package, package.open("rb") as file, naming_damage("an Excel workbook"):
        workbook = _load(file)
        sheets = len(workbook.sheetnames)
        workbook.close()
    if sheets > limits.max_pages:
        raise BadInput(f"it has {sheets:,} sheets, over the limit of {limits.max_pages:,}; split the workbook")
    return sheets


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield each sheet's rows in blocks of 200 under the sheet's name and its first row.

    Raises:
        BadInput: damaged, encrypted, a bomb, or no workbook.
    """
    builder = PartBuilder(limits=limits, start=start)
    with ooxml.opened(path, limits=limits) as package, package.open("rb") as file:
        with naming_damage("an Excel workbook"):
            workbook = _load(file)
        try:
            for page_number, sheet in enumerate(workbook._sheets, start=1):
                yield from _sheet(workbook, sheet, package, builder=builder, page_number=page_number)
        finally:
            workbook.close()
    yield from builder.rest()


def _load(file: IO[bytes]) -> Any:
    """Open a workbook from an open file, because openpyxl refuses paths with an unknown suffix."""
    import warnings

    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about features that it would lose on saving, which is never done here
        return openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)


def _sheet(workbook: Any, sheet: Any, package: Path, *, builder: PartBuilder, page_number: int) -> Iterator[Part]:
    if getattr(sheet, "sheet_state", "visible") != "visible":
        builder.warn(f"sheet {sheet.title!r} is hidden in the workbook; it was read")
    # A sheet that is one chart has no cells.
    has_cells = hasattr(sheet, "_get_source")
    rows = rows_of(workbook, sheet, package) if has_cells else iter(())
    drawn = spreadsheet_drawings.drawings(package, sheet._worksheet_path) if has_cells else iter(())
    yield from sheet_parts.parts(sheet.title, rows, drawings=drawn, builder=builder, page_number=page_number)

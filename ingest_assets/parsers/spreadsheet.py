"""An Excel workbook in, Markdown tables of some hundred rows out, sheet by sheet, then each sheet's pictures.

Rows are streamed from `openpyxl`'s own reader of sheets. `unstructured` loads every sheet through pandas, which makes a
cell of everything a sheet claims to use: one of the corpus claims 1,048,496 rows and holds eight. Formulas are given by
the values that Excel wrote beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from ingest_assets.errors import BadInput
from ingest_assets.parsers import ooxml, spreadsheet_drawings
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.part_builder import PartBuilder
from ingest_assets.parsers.spreadsheet_cells import rows_of
from ingest_assets.records import ElementType, Part

VERSION = "1"
PART = "block of rows"

_PART_ROWS = 200
_PART_CHARS = 100_000
# More rows of one cell than this on top are a list, not headings.
_MAX_HEADINGS = 5

_Row: TypeAlias = tuple[int, dict[int, str]]
"""Number of a row, and its texts by column, both from 1."""


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the sheets.

    Raises:
        BadInput: damaged, encrypted, a bomb, no workbook, or more sheets than the limit.
    """
    with ooxml.opened(path, limits=limits) as package, ooxml.naming_damage("Excel workbook"):
        workbook = _load(package)
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
    with ooxml.opened(path, limits=limits) as package:
        with ooxml.naming_damage("Excel workbook"):
            workbook = _load(package)
        try:
            for page_number, sheet in enumerate(workbook._sheets, start=1):
                yield from _sheet(workbook, sheet, package, builder=builder, page_number=page_number)
        finally:
            workbook.close()
    if builder.number == 0:
        yield from builder.flush()


def _load(package: Path) -> Any:
    import warnings

    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of features that it would not write back, which nobody asks it to
        return openpyxl.load_workbook(package, read_only=True, data_only=True, keep_links=False)


def _sheet(workbook: Any, sheet: Any, package: Path, *, builder: PartBuilder, page_number: int) -> Iterator[Part]:
    builder.add(ElementType.TITLE, sheet.title, page_number=page_number, level=1)
    if getattr(sheet, "sheet_state", "visible") != "visible":
        builder.warn(f"sheet {sheet.title!r} is hidden in the workbook; it was read")
    problem = ""
    flushed, last_row = builder.number, 0
    try:
        # A sheet that is one chart has no cells.
        if hasattr(sheet, "_get_source"):
            rows = _without_headings(rows_of(workbook, sheet, package), builder=builder, page_number=page_number)
            for header, block, last in _blocks(rows):
                if last_row:
                    yield from builder.flush(page_number=page_number, last_row=last_row)
                builder.add_table([header, *block], page_number=page_number)
                last_row = last
            for drawing in spreadsheet_drawings.drawings(package, sheet._worksheet_path):
                _add_drawing(drawing, builder=builder, page_number=page_number)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever a malformed attribute leads to
        problem = f"sheet {sheet.title!r} cannot be read to its end ({type(error).__name__}: {error})"
    if builder.number == flushed:
        builder.drop_lone_title()
    yield from builder.flush(page_number=page_number, problem=problem, last_row=last_row)


def _add_drawing(drawing: bytes | str, *, builder: PartBuilder, page_number: int) -> None:
    if isinstance(drawing, bytes):
        builder.add_picture(drawing, page_number=page_number, name=f"a picture on sheet {page_number}")
    else:
        builder.add(ElementType.NARRATIVE_TEXT, drawing, page_number=page_number)


def _without_headings(rows: Iterator[_Row], *, builder: PartBuilder, page_number: int) -> Iterator[_Row]:
    """Take the single cells above a table as text: the first row with several cells is its header."""
    held: list[_Row] = []
    for row in rows:
        if len(row[1]) == 1 and len(held) < _MAX_HEADINGS:
            held.append(row)
            continue
        for _, heading in held:
            builder.add(ElementType.NARRATIVE_TEXT, " ".join(heading.values()), page_number=page_number)
        yield row
        yield from rows
        return
    yield from held


def _blocks(rows: Iterator[_Row]) -> Iterator[tuple[list[str], list[list[str]], int]]:
    """Yield the first row with each block of the others but for empty columns, and the number of its last row."""
    last, header = next(rows, (0, None))
    if header is None:
        return
    block: list[dict[int, str]] = []
    chars = 0
    sent = False
    for last, row in rows:
        block.append(row)
        chars += sum(map(len, row.values()))
        if len(block) == _PART_ROWS or chars > _PART_CHARS:
            yield *_aligned(header, block), last
            block, chars, sent = [], 0, True
    if block or not sent:
        yield *_aligned(header, block), last


def _aligned(header: dict[int, str], block: list[dict[int, str]]) -> tuple[list[str], list[list[str]]]:
    columns = sorted({column for row in [header, *block] for column in row})
    rows = [[row.get(column, "") for column in columns] for row in [header, *block]]
    return rows[0], rows[1:]

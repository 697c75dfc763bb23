"""Read the cells of a worksheet as text: dates in ISO 8601, numbers without rounding noise, merged cells repeated."""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from ingest_assets.parsers.building.numbers import number_text

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# Columns of the widest sheet of Excel.
_MAX_COLUMN = 16_384
_MAX_MERGED = 20_000


def rows_of(workbook: Any, sheet: Any, package: Path) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield the number of each row that has text, and its texts by column, both from 1."""
    from openpyxl.worksheet._reader import WorkSheetParser

    merged = _Merged(package, sheet._worksheet_path)
    shown = _shown_styles(workbook)
    with sheet._get_source() as source:
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,
            timedelta_formats=workbook._timedelta_formats,
        )
        for element in _row_elements(source):
            formulas = _without_values(element)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about dates out of range, which become #VALUE!
                row_number, cells = parser.parse_row(element)
            parser.row_dimensions.clear()
            texts = {cell["column"]: _text(cell, shown=shown) for cell in cells if cell["column"] <= _MAX_COLUMN}
            texts = formulas | {column: text for column, text in texts.items() if text}
            if texts:
                yield row_number, merged.repeat(row_number, texts)


def _without_values(row: ElementTree.Element) -> dict[int, str]:
    """Return the formulas of a row without a saved value, by column; programs that do not calculate write them."""
    from openpyxl.utils.cell import coordinate_to_tuple

    found = {}
    for cell in row:
        formula = cell.find(f"{_MAIN}f")
        has_value = cell.findtext(f"{_MAIN}v") or cell.get("t") == "str"  # an empty text is a value too
        if formula is not None and formula.text and not has_value and cell.get("r"):
            found[coordinate_to_tuple(cell.get("r", ""))[1]] = f"={formula.text}"
    return {column: text for column, text in found.items() if column <= _MAX_COLUMN}


def _row_elements(source: IO[bytes]) -> Iterator[ElementTree.Element]:
    """Yield the rows only; openpyxl may fail on formats, filters and validations."""
    data: ElementTree.Element | None = None
    # A package with a document type definition was refused before, so there are no entities to expand.
    for event, element in ElementTree.iterparse(source, events=("start", "end")):  # noqa: S314
        if event == "start":
            data = element if element.tag == f"{_MAIN}sheetData" else data
        elif element.tag == f"{_MAIN}row":
            yield element
            if data is not None:
                data.clear()
        elif data is None or element.tag == f"{_MAIN}sheetData":
            element.clear()
            if element.tag == f"{_MAIN}sheetData":
                return


# In a number format: text in quotes, and a character after one of the signs for literal, space and fill.
_QUOTED = re.compile(r'"[^"]*"|[\\_*].')


# Parts of a number format: colour or language, space as wide as a character, text, digits that are always shown.
_PART = re.compile(r'\[(?![<>=])[^\]]*\]|_.|"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<plain>[0 ()+-])')
_DIGIT = "\0"


def _shown_styles(workbook: Any) -> dict[int, str]:
    """Return "%" for each cell style that shows percentages, and a digit pattern for each that shows all digits."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

    own = list(workbook._number_formats)
    found = {}
    for style, cell_style in enumerate(workbook._cell_styles):
        number = cell_style.numFmtId
        place = number - BUILTIN_FORMATS_MAX_SIZE
        code = own[place] if 0 <= place < len(own) else BUILTIN_FORMATS.get(number, "")
        if "%" in _QUOTED.sub("", code):
            found[style] = "%"
        elif pattern := _pattern(code.partition(";")[0]):
            found[style] = pattern
    return found


def _pattern(code: str) -> str:
    """Return the pattern of a format for postal codes or telephone numbers, with NUL for each digit; "" for others."""
    pattern, at = "", 0
    while at < len(code):
        part = _PART.match(code, at)
        if part is None:
            return ""
        pattern += (part["quoted"] or part["escaped"] or "") + (part["plain"] or "").replace("0", _DIGIT)
        at = part.end()
    return pattern if pattern.count(_DIGIT) > 1 else ""


def _with_all_digits(number: float, pattern: str) -> str:
    """Write a number into a pattern: 1234 as 01234, 123456789 as 123-45-6789."""
    places = pattern.count(_DIGIT)
    digits = str(round(number)).zfill(places)
    surplus = len(digits) - places
    left = iter(digits[surplus:])
    written = "".join(next(left) if mark == _DIGIT else mark for mark in pattern)
    first = pattern.index(_DIGIT)
    return written[:first] + digits[:surplus] + written[first:]


def _text(cell: dict[str, Any], *, shown: dict[int, str]) -> str:
    value = cell["value"]
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    if isinstance(value, int | float):
        style = shown.get(cell["style_id"], "")
        if style == "%":
            return f"{number_text(round(value * 100, 10))}%"
        return _with_all_digits(value, style) if style and value >= 0 and value % 1 == 0 else number_text(value)
    from openpyxl.utils.escape import unescape

    return str(unescape(str(value))).strip()


def _duration(value: datetime.timedelta) -> str:
    """Write a duration as Excel does: hours (also more than 24), minutes and seconds."""
    seconds = round(abs(value).total_seconds())
    sign = "-" if value < datetime.timedelta() else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


class _Merged:
    """Repeat the value of a merged cell in all cells that it covers."""

    def __init__(self, package: Path, worksheet: str) -> None:
        self._ranges = sorted(_merged_ranges(package, worksheet))
        self._next = 0
        self._active: list[tuple[int, int, int, str]] = []

    def repeat(self, row: int, texts: dict[int, str]) -> dict[int, str]:
        """Add the covered cells of a row; a heading that is merged over a whole row stays one cell."""
        alone = len(texts) == 1
        while self._next < len(self._ranges) and self._ranges[self._next][0] <= row:
            first_row, first, last_row, last = self._ranges[self._next]
            self._next += 1
            if first_row == row and first in texts and last - first < _MAX_COLUMN:
                self._active.append((first, last if not alone else first, last_row, texts[first]))
        self._active = [entry for entry in self._active if entry[2] >= row]
        for first, last, _, text in self._active:
            for column in range(first, min(last, first + 100) + 1):
                texts.setdefault(column, text)
        return texts


def _merged_ranges(package: Path, worksheet: str) -> Iterator[tuple[int, int, int, int]]:
    from openpyxl.utils.cell import range_boundaries

    count = 0
    with zipfile.ZipFile(package) as archive, archive.open(worksheet) as source:
        for _, element in ElementTree.iterparse(source):  # noqa: S314 - see above
            if element.tag == f"{_MAIN}mergeCell" and count < _MAX_MERGED:
                count += 1
                first, first_row, last, last_row = range_boundaries(element.get("ref", "A1"))
                if None not in (first, first_row, last, last_row):
                    yield first_row, first, last_row, last
            if element.tag in {f"{_MAIN}row", f"{_MAIN}c", f"{_MAIN}sheetData"}:
                element.clear()

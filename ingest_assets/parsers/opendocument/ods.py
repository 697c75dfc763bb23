"""Read an OpenDocument spreadsheet as Markdown tables of up to 200 rows, sheet by sheet, each followed by its pictures.

Rows are streamed and freed after reading. The text of a cell is what its program showed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import sheet_parts
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.building.sheet_parts import SheetRow
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.opendocument import package as odf_package
from ingest_assets.parsers.opendocument import tables as odf_tables
from ingest_assets.parsers.opendocument.inline import ParagraphText
from ingest_assets.parsers.opendocument.package import CHILD_DEPTH, DRAW, HREF, OFFICE, TABLE, TEXT, OdfPackage
from ingest_assets.records import Part

if TYPE_CHECKING:
    from lxml import etree

VERSION = "1"
PART = "block of rows"

_VALUES = ("string-value", "date-value", "time-value", "boolean-value", "value")


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the sheets.

    Raises:
        BadInput: truncated, encrypted, a bomb, no OpenDocument file, or more sheets than the limit.
    """
    with odf_package.opened(path, limits=limits) as package:
        return package.count(TABLE + "table")


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield each sheet's rows in blocks of 200 under the sheet's name and its first row.

    Raises:
        BadInput: damaged before the first sheet, encrypted, a bomb, or no OpenDocument file.
    """
    builder = PartBuilder(limits=limits, start=start)
    with odf_package.opened(path, limits=limits) as package:
        total, page_number = package.count(TABLE + "table"), 0
        sheets = _Sheets(package, builder=builder)
        for page_number, title in enumerate(sheets.titles(), start=1):
            yield from sheet_parts.parts(
                title, sheets.rows(), drawings=sheets.pictures(), builder=builder, page_number=page_number
            )
        for missing in range(page_number + 1, total + 1):
            problem = sheets.damage or "the file is damaged before this sheet"
            yield from builder.flush(page_number=missing, problem=problem)
    yield from builder.rest()


class _Sheets:
    """Read the sheets in one pass: the title of each, then its rows, then its pictures."""

    def __init__(self, package: OdfPackage, *, builder: PartBuilder) -> None:
        self._package = package
        self._builder = builder
        self._events = package.events(whole=False)
        self._pictures: list[str] = []
        self.damage = ""

    def titles(self) -> Iterator[str]:
        """Yield the names of the sheets; the caller reads the rows of a sheet before it asks for the next name."""
        try:
            for event, element, depth in self._events:
                if event == "start" and depth == CHILD_DEPTH and element.tag == TABLE + "table":
                    self._pictures = []
                    yield element.get(TABLE + "name", "")
                elif event == "end" and depth == CHILD_DEPTH:
                    odf_package.forget(element)
        except BadInput as error:
            self.damage = str(error)

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows of the current sheet that have text; a repeated row at most 100 times."""
        cells = odf_tables.CellTexts(_text)
        number = 1
        in_rows = 0
        for event, element, depth in self._events:
            if element.tag == TABLE + "table" and depth == CHILD_DEPTH and event == "end":
                odf_package.forget(element)
                return
            if element.tag == TABLE + "table-row":
                in_rows += 1 if event == "start" else -1
            if event == "start" or in_rows or element.tag not in {TABLE + "table-row", TABLE + "shapes"}:
                continue
            self._pictures.extend(image.get(HREF, "") for image in element.iter(DRAW + "image"))
            if element.tag == TABLE + "table-row":
                yield from self._repeated(number, cells.of(element), times=odf_tables.repeats(element))
                number += odf_tables.repeats(element)
            odf_package.forget(element)

    def pictures(self) -> Iterator[bytes]:
        """Yield the pictures of the current sheet, after its rows have been read."""
        yield from filter(None, map(self._package.data, dict.fromkeys(self._pictures)))

    def _repeated(self, number: int, texts: dict[int, str], *, times: int) -> Iterator[SheetRow]:
        if not texts:
            return
        if times > odf_tables.MAX_REPEATED:
            kept = odf_tables.MAX_REPEATED
            self._builder.warn(f"row {number} is repeated {times:,} times; {kept} of them were kept")
        for offset in range(min(times, odf_tables.MAX_REPEATED)):
            yield number + offset, texts


def _text(cell: etree._Element) -> str:
    """Return the text that a cell shows: its paragraphs, otherwise its value."""
    shown = "\n".join(filter(None, (ParagraphText(paragraph).text for paragraph in cell.findall(TEXT + "p"))))
    return shown or next(filter(None, (cell.get(OFFICE + name) for name in _VALUES)), "")

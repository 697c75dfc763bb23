"""Read the rows and cells of an OpenDocument table, with repeated, merged and empty cells.

A spreadsheet stores a million equal rows or cells as one with a count. Empty ones are skipped; of the others at most
100 are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ingest_assets.parsers.opendocument.inline import number
from ingest_assets.parsers.opendocument.package import TABLE

if TYPE_CHECKING:
    from lxml import etree

# Largest number of equal rows, or of equal neighbouring cells, that are kept.
MAX_REPEATED = 100
# Columns of the widest sheet of LibreOffice.
_MAX_COLUMNS = 16_384
_CELLS = {TABLE + "table-cell", TABLE + "covered-table-cell"}
_GROUPS = {TABLE + name for name in ("table-header-rows", "table-rows", "table-row-group")}


def rows_of(table: etree._Element) -> Iterator[etree._Element]:
    """Yield the rows of a table, without the rows of tables in its cells."""
    for child in table:
        if child.tag == TABLE + "table-row":
            yield child
        elif child.tag in _GROUPS:
            yield from rows_of(child)


def repeats(row: etree._Element) -> int:
    """Return how many equal rows an element stands for."""
    return max(1, number(row, TABLE + "number-rows-repeated", default=1))


class CellTexts:
    """Read row after row as texts by column (from 1); a merged cell is repeated in each cell that it covers."""

    def __init__(self, text_of: Callable[[etree._Element], str]) -> None:
        self._text_of = text_of
        self._down: dict[int, tuple[int, str]] = {}
        """Cells merged downwards from rows above, by column: number of rows left, and the text."""

    def of(self, row: etree._Element) -> dict[int, str]:
        """Return the texts of the next row by column."""
        texts: dict[int, str] = {}
        column = 1
        across, across_end = "", 0
        for cell in row:
            if cell.tag not in _CELLS or column > _MAX_COLUMNS:
                continue
            repeated = max(1, number(cell, TABLE + "number-columns-repeated", default=1))
            covered = cell.tag == TABLE + "covered-table-cell"
            text = "" if covered else self._text_of(cell)
            if text and not covered:
                columns = min(MAX_REPEATED, number(cell, TABLE + "number-columns-spanned", default=1))
                across, across_end = text, column + columns - 1
                self._remember(cell, text, column=column, columns=columns)
            for place in range(column, column + min(repeated, MAX_REPEATED)):
                shown = self._covered(place, across if place <= across_end else "") if covered else text
                if shown:
                    texts[place] = shown
            column += repeated
        self._pass_row()
        return texts

    def _remember(self, cell: etree._Element, text: str, *, column: int, columns: int) -> None:
        rows = min(MAX_REPEATED, number(cell, TABLE + "number-rows-spanned", default=1))
        if rows > 1:
            self._down.update(dict.fromkeys(range(column, column + columns), (rows, text)))

    def _covered(self, column: int, across: str) -> str:
        return across or self._down.get(column, (0, ""))[1]

    def _pass_row(self) -> None:
        self._down = {column: (left - 1, text) for column, (left, text) in self._down.items() if left > 1}

"""Read the rows of a <table>, with merged cells repeated, and recognise tables that only lay out a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.parsers.html.tree import inner_text

if TYPE_CHECKING:
    from lxml import etree

# HTML's own limits (colspan 1,000, rowspan 65,534) would let one cell fill 65 million places.
_MAX_SPAN = 1_000
_MAX_CELLS = 200_000
# Elements that a cell with a mere value does not contain.
_LAYOUT_MARKS = frozenset(("h1", "h2", "h3", "h4", "p", "div", "ul", "ol", "table", "pre"))


def is_layout(table: etree._Element) -> bool:
    """Return whether a table only lays out a page: it has no header cells, and one row, one column or tables inside."""
    if table.get("role") in {"presentation", "none"}:
        return True
    rows = own_rows(table)
    if any(cell.tag == "th" for row in rows for cell in row) or not rows:
        return False
    widest = max(len(_cells(row)) for row in rows)
    holds_blocks = any(child.tag in _LAYOUT_MARKS for row in rows for cell in _cells(row) for child in cell.iter())
    if len(rows) == 1 or widest <= 1:
        return holds_blocks or widest <= 1
    return any(True for _ in table.iterdescendants("table")) or any(True for _ in table.iterdescendants("h1", "h2"))


def own_rows(table: etree._Element) -> list[etree._Element]:
    """List the rows of a table, the header first and the footer last, without the rows of tables inside it."""
    rows: list[etree._Element] = []
    for group in ("thead", None, "tfoot"):
        for child in table:
            if child.tag == "tr" and group is None:
                rows.append(child)
            elif child.tag == group or (group is None and child.tag == "tbody"):
                rows.extend(row for row in child if row.tag == "tr")
    return rows


def rows_of(table: etree._Element) -> list[list[str]]:
    """Return the text of every cell by row; a cell that spans columns or rows is repeated in each of them."""
    grid: list[list[str]] = []
    pending: dict[int, tuple[int, str]] = {}
    cells = 0
    for row in own_rows(table):
        line: list[str] = []
        for cell in _cells(row):
            _fill(line, pending)
            text = inner_text(cell)
            columns, down = _span(cell, "colspan"), _span(cell, "rowspan")
            if cells > _MAX_CELLS:
                columns = down = 1
                pending.clear()
            for _ in range(columns if text else min(columns, 50)):
                if down > 1:
                    pending[len(line)] = (down - 1, text)
                line.append(text)
        _fill(line, pending)
        cells += len(line)
        grid.append(line)
    return grid


def _cells(row: etree._Element) -> list[etree._Element]:
    return [cell for cell in row if cell.tag in {"td", "th"}]


def _fill(line: list[str], pending: dict[int, tuple[int, str]]) -> None:
    """Add the cells that reach down from rows above, as far as they follow directly."""
    while len(line) in pending:
        left, text = pending.pop(len(line))
        if left > 1:
            pending[len(line)] = (left - 1, text)
        line.append(text)


def _span(cell: etree._Element, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(_MAX_SPAN, max(1, int(value))) if value.isascii() and value.isdigit() else 1

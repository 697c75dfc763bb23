"""A <table> in, rows of cells out, with merged cells repeated; or the word that it is no table but a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.parsers.html.tree import inner_text

if TYPE_CHECKING:
    from lxml import etree

# HTML's own bounds (colspan 1,000, rowspan 65,534) allow a cell of 65 million; a table of 100,000 is read whole.
_MAX_SPAN = 1_000
_MAX_CELLS = 200_000
# What makes a single cell more than a value.
_LAYOUT_MARKS = frozenset(("h1", "h2", "h3", "h4", "p", "div", "ul", "ol", "table", "pre"))


def is_layout(table: etree._Element) -> bool:
    """Tell a table that only places parts of a page: no header cells, and one row, one column, or tables inside."""
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
    """List the rows of a table, without those of tables inside it, header first and footer last."""
    rows: list[etree._Element] = []
    for group in ("thead", None, "tfoot"):
        for child in table:
            if child.tag == "tr" and group is None:
                rows.append(child)
            elif child.tag == group or (group is None and child.tag == "tbody"):
                rows.extend(row for row in child if row.tag == "tr")
    return rows


def rows_of(table: etree._Element) -> list[list[str]]:
    """Give the text of every cell; one that spans several columns or rows stands in each of them."""
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
    """Repeat, where the line has come to, the cells that reach down from rows above."""
    while len(line) in pending:
        left, text = pending.pop(len(line))
        if left > 1:
            pending[len(line)] = (left - 1, text)
        line.append(text)


def _span(cell: etree._Element, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(_MAX_SPAN, max(1, int(value))) if value.isascii() and value.isdigit() else 1

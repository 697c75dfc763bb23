"""Find tables that are drawn with rules, and replace their runs by one run that holds the table.

Rules that touch form a grid. Two neighbours without a rule between them are one cell, and its text is repeated in each
place that it covers, as in tables of other formats. Many tables have rules only between groups of rows: if the cells of
one row of the grid have equal numbers of lines of figures, it is split into that many rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median_low
from typing import NamedTuple

from ingest_assets.parsers.page_layout.runs import TABLE_MARK, Rows, Run
from ingest_assets.parsers.page_layout.table_cells import Cell, are_formulas, lines_of, rows_of
from ingest_assets.parsers.pdf.graphics.rules import Rule, Rules

_NEAR = 3.0  # points; rules within it touch
_COVERS = 0.6  # of a cell's side; a rule along so much of it separates the cell from its neighbour
_MAX_CELLS = 10_000
_MIN_FILLED = 0.45  # of the cells have text, at least; the boxes of a form and the grid of a plot have less
_MAX_CELL_CHARS = 1_500  # a cell with more is text in a frame
_WORDS = re.compile(r"\w{2}|\d")  # labels of points and axes are single letters and signs


class _Grid(NamedTuple):
    xs: list[float]
    """Edges of the columns, from the left."""
    ys: list[float]
    """Edges of the rows, from the top."""
    rules: Rules


def with_ruled_tables(runs: list[Run], rules: Rules) -> list[Run]:
    """Replace the upright runs in each ruled table by one run that holds the table.

    The run has the height of a line and the place of the table's first line, so that page layout works around it.
    """
    left = runs
    for grid in _grids(rules):
        inside = [run for run in left if run.turn == 0 and not run.table and _is_inside(run, grid)]
        rows = _rows(grid, inside)
        if not rows:
            continue
        first = min(run.order for run in inside)
        numbers = {run.order for run in inside}
        size, top = median_low([run.size for run in inside]), max(run.y1 for run in inside)
        table = Run(TABLE_MARK, grid.xs[0], top - size, grid.xs[-1], top, size, order=first, spaced=True, table=rows)
        place = next(i for i, run in enumerate(left) if run.order == first)
        left = [run for run in left[:place] if run.order not in numbers or run.table] + [
            table,
            *(run for run in left[place:] if run.order not in numbers or run.table),
        ]
    return left


def _is_inside(run: Run, grid: _Grid) -> bool:
    x, y = (run.x0 + run.x1) / 2, (run.y0 + run.y1) / 2
    return grid.xs[0] < x < grid.xs[-1] and grid.ys[-1] < y < grid.ys[0]


def _grids(rules: Rules) -> list[_Grid]:
    """Group rules that touch into grids; the largest grid first."""
    groups: list[tuple[list[Rule], list[Rule]]] = [([rule], []) for rule in rules.across]
    for rule in rules.down:
        crossed = [group for group in groups if any(_touch(other, rule) for other in group[0])]
        merged: tuple[list[Rule], list[Rule]] = ([], [rule])
        for group in crossed:
            merged[0].extend(group[0])
            merged[1].extend(group[1])
            groups.remove(group)
        if crossed:
            groups.append(merged)
    grids = [_grid(across, down, rules.shades) for across, down in groups if len(across) >= 2 and down]
    fitting = [grid for grid in grids if 4 <= (len(grid.xs) - 1) * (len(grid.ys) - 1) <= _MAX_CELLS]
    return sorted(fitting, key=lambda grid: (grid.xs[0] - grid.xs[-1]) * (grid.ys[0] - grid.ys[-1]))


def _touch(across: Rule, down: Rule) -> bool:
    is_beside = across.start - _NEAR <= down.at <= across.end + _NEAR
    return is_beside and down.start - _NEAR <= across.at <= down.end + _NEAR


def _grid(across: list[Rule], down: list[Rule], shades: Sequence[Rule]) -> _Grid:
    """Make a grid; a table without vertical rules at its sides ends where its horizontal rules end.

    The edge of a coloured area across the whole table, as of a header, separates rows as a rule does.
    """
    left, right = min(rule.start for rule in across), max(rule.end for rule in across)
    foot, top = min(rule.start for rule in down), max(rule.end for rule in down)
    across = across + [
        shade
        for shade in shades
        if shade.start <= left + _NEAR and shade.end >= right - _NEAR and foot < shade.at < top
    ]
    xs = [rule.at for rule in down] + [min(rule.start for rule in across), max(rule.end for rule in across)]
    ys = [rule.at for rule in across] + [min(rule.start for rule in down), max(rule.end for rule in down)]
    return _Grid(_distinct(xs), _distinct(ys)[::-1], Rules(tuple(across), tuple(down)))


def _distinct(places: Iterable[float]) -> list[float]:
    distinct: list[float] = []
    for place in sorted(places):
        if not distinct or place - distinct[-1] > _NEAR:
            distinct.append(place)
    return distinct


def _rows(grid: _Grid, runs: Sequence[Run]) -> Rows:
    """Put the runs into the cells of a grid; return nothing if it is not a table."""
    height, width = len(grid.ys) - 1, len(grid.xs) - 1
    owner = _owners(grid, height, width)
    held: dict[int, list[Run]] = {}
    for run in runs:
        column = _place((run.x0 + run.x1) / 2, grid.xs)
        row = height - 1 - _place((run.y0 + run.y1) / 2, grid.ys[::-1])
        held.setdefault(owner[row * width + column], []).append(run)
    if not _is_table(owner, width, held):
        return ()
    rows: list[tuple[str, ...]] = []
    for row in range(height):
        owners = owner[row * width : (row + 1) * width]
        cells = [Cell(lines_of(held.get(cell, ())), grid.xs[at + 1] - grid.xs[at]) for at, cell in enumerate(owners)]
        is_alone = len(set(owners)) == width and all(owner.count(cell) == 1 for cell in owners)
        rows.extend(rows_of(cells) if is_alone else [tuple(cell.text for cell in cells)])
    return tuple(row for row in rows if any(row))


def _is_table(owner: Sequence[int], width: int, held: Mapping[int, Sequence[Run]]) -> bool:
    """Tell a table from frames and axes of a drawing: its cells are rectangles, and most have words or figures."""
    cells: dict[int, list[int]] = {}
    for place, cell in enumerate(owner):
        cells.setdefault(cell, []).append(place)
    texts = {cell: " ".join(run.text for run in held.get(cell, ())) for cell in cells}
    filled = [text for text in texts.values() if text]
    columns = {place % width for cell, places in cells.items() if texts[cell] for place in places}
    rows = {place // width for cell, places in cells.items() if texts[cell] for place in places}
    return (
        min(len(columns), len(rows), len(filled)) >= 2
        and len(filled) >= _MIN_FILLED * len(cells)
        and 2 * sum(bool(_WORDS.search(text)) for text in filled) >= len(filled)
        and max(map(len, filled)) <= _MAX_CELL_CHARS
        and not are_formulas(filled)
        and all(_is_rectangle(places, width) for places in cells.values())
    )


def _is_rectangle(places: Sequence[int], width: int) -> bool:
    columns, rows = {place % width for place in places}, {place // width for place in places}
    return len(columns) * len(rows) == len(places)


def _owners(grid: _Grid, height: int, width: int) -> list[int]:
    """Return for each place of a grid, row by row, the first place of its cell."""
    owner = list(range(height * width))

    def first(place: int) -> int:
        while owner[place] != place:
            place = owner[place]
        return place

    for row in range(height):
        for column in range(width):
            place = row * width + column
            top, bottom, left, right = grid.ys[row], grid.ys[row + 1], grid.xs[column], grid.xs[column + 1]
            if column + 1 < width and not _parts(grid.rules.down, right, bottom, top):
                owner[first(place + 1)] = first(place)
            if row + 1 < height and not _parts(grid.rules.across, bottom, left, right):
                owner[first(place + width)] = first(place)
    return [first(place) for place in range(height * width)]


def _parts(rules: Iterable[Rule], at: float, start: float, end: float) -> bool:
    """Tell whether rules lie along most of one side of a cell."""
    covered = sum(max(0.0, min(rule.end, end) - max(rule.start, start)) for rule in rules if abs(rule.at - at) <= _NEAR)
    return covered >= _COVERS * (end - start)


def _place(value: float, edges: Sequence[float]) -> int:
    return max(0, min(sum(edge <= value for edge in edges) - 1, len(edges) - 2))

"""Join the runs of one line to a row with its text and its cells."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from ingest_assets.parsers.page_layout.runs import Rows, Run
from ingest_assets.parsers.page_layout.words import is_rtl

_UNEVEN = 1.6  # times the narrowest gap: kerning and punctuation vary the gaps of a justified line by so much
_WIDEST_SPACE = 2.5  # ems; wider gaps are between cells


class Row(NamedTuple):
    """A line of one column, in reading direction; x grows along the line, y upwards, in points."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool
    spaced: bool
    cells: tuple[Run, ...]
    turn: int
    rtl: bool
    italic: bool
    table: Rows = ()
    """The table that this row represents."""


Flow = list[Row]
"""Rows from top to bottom: of a column, or of a region that crosses columns."""


def rows_of_line(line: list[Run]) -> list[Row]:
    """Return the row of a line; a table beside the text becomes a separate row."""
    if len(line) > 1 and any(run.table for run in line):
        texts = [run for run in line if not run.table]
        return [*([_row(texts)] if texts else []), *(_row([run]) for run in line if run.table)]
    return [_row(line)]


def _row(line: list[Run]) -> Row:
    if len(line) == 1:
        text, x0, y0, x1, y1, size, bold, turn, _, spaced, italic, table = line[0]
        return Row(text, x0, y0, x1, y1, size, bold, spaced, tuple(line), turn, is_rtl(text), italic, table)
    rtl = is_rtl("".join([run.text for run in line]))
    cells = sorted(line, key=(lambda run: (-run.x1, run.order)) if rtl else (lambda run: (run.x0, run.order)))
    text = cells[0].text
    for before, cell in pairwise(cells):
        text += (" " if rtl or is_apart(before, cell) else "") + cell.text
    main = max(cells, key=lambda run: len(run.text))
    return Row(
        text,
        min([run.x0 for run in cells]),
        min([run.y0 for run in cells]),
        max([run.x1 for run in cells]),
        max([run.y1 for run in cells]),
        main.size,
        all(run.bold for run in cells),
        cells[-1].spaced,
        tuple(cells),
        main.turn,
        rtl,
        all(run.italic for run in cells),
    )


def is_apart(a: Run, b: Run) -> bool:
    """Tell whether there is a space between two runs of one line."""
    # 0.12 em: less than the narrowest word space of justified text (0.17 em), more than kerning
    return a.spaced or b.x0 - a.x1 > 0.12 * max(a.size, b.size) or a.x0 > b.x1


def is_stretched(row: Row) -> bool:
    """Tell a justified line of few words from cells: its gaps are almost equal, those of a table are not."""
    gaps = [abs(b.x0 - a.x1) for a, b in pairwise(row.cells)]
    is_even = len(gaps) > 1 and max(gaps) < min(_UNEVEN * min(gaps), _WIDEST_SPACE * row.size)
    return is_even and all(cell.text.count(" ") <= 1 for cell in row.cells)

"""Read the cells of one row of a table; split the row if its cells hold several rows side by side.

The space between two rules may hold one row with cells of several lines, or several rows without rules between them. In
the second case most cells have the same number of lines, side by side, and each line is complete: it is a figure, has a
dot leader to the next cell, or ended although the first word of the next line would have fitted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ingest_assets.parsers.page_layout.runs import Run
from ingest_assets.parsers.page_layout.words import join

_ALIGNED = 0.35  # ems; the middles of lines in one row differ by less
_LEADER = re.compile(r"(?:^|\s+)[.·…_](?:\s?[.·…_]){3,}\s*$")  # dot leaders to the next cell

_MAX_FORMULAS = 0.2  # of the cells: with more it is a formula of several lines, or a matrix
_FORMULA = re.compile(r"[=∂∈∀∃∪∩⊆⊇⇒∑∏∫√∅≤≥{}|\\]")

CellLine: TypeAlias = list[Run]


class Cell(NamedTuple):
    """The lines of a cell, and its width in points."""

    lines: list[CellLine]
    width: float

    @property
    def text(self) -> str:
        """The text of all lines, with words joined that are divided at a line end."""
        text, spaced = "", True
        for line in self.lines:
            text = join(text, _words(line), spaced=spaced, words=frozenset()) if text else _words(line)
            spaced = line[-1].spaced
        return _LEADER.sub("", text)


def lines_of(runs: Sequence[Run]) -> list[CellLine]:
    """Group the runs of a cell into lines, from the top, each line from the left."""
    lines: list[CellLine] = []
    for run in sorted(runs, key=lambda run: -(run.y0 + run.y1)):
        if lines and abs(lines[-1][0].y0 + lines[-1][0].y1 - run.y0 - run.y1) < run.y1 - run.y0:
            lines[-1].append(run)
        else:
            lines.append([run])
    return [sorted(line, key=lambda run: run.x0) for line in lines]


def text_of(runs: Sequence[Run]) -> str:
    """Return the text of a cell, with words joined that are divided at a line end."""
    if len(runs) > 1:
        return Cell(lines_of(runs), 0.0).text
    return _LEADER.sub("", runs[0].text) if runs else ""


def rows_of(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """Return the rows in cells that are side by side; a cell with another number of lines spans all of them."""
    count = _rows_in(cells)
    if count == 1:
        return [tuple(cell.text for cell in cells)]
    return [
        tuple(_LEADER.sub("", _words(cell.lines[at])) if len(cell.lines) == count else cell.text for cell in cells)
        for at in range(count)
    ]


def are_formulas(texts: Sequence[str]) -> bool:
    """Tell whether many of the cells have signs of a formula."""
    return sum(bool(_FORMULA.search(text)) for text in texts) > _MAX_FORMULAS * len(texts)


def _rows_in(cells: Sequence[Cell]) -> int:
    counts = Counter(len(cell.lines) for cell in cells if len(cell.lines) > 1)
    if not counts:
        return 1
    count, agreeing = counts.most_common(1)[0]
    alike = [cell for cell in cells if len(cell.lines) == count]
    if agreeing < min(3, len(cells)) or max(len(cell.lines) for cell in cells) > count:
        return 1
    if not all(_are_aligned([cell.lines[at] for cell in alike]) for at in range(count)):
        return 1
    return count if 2 * sum(map(_is_list, alike)) >= agreeing else 1


def _are_aligned(lines: Sequence[CellLine]) -> bool:
    middles = [(line[0].y0 + line[0].y1) / 2 for line in lines]
    return max(middles) - min(middles) <= _ALIGNED * max(line[0].size for line in lines)


def _is_list(cell: Cell) -> bool:
    """Tell whether each line of a cell is complete, so that the lines are a list."""
    texts = [_words(line) for line in cell.lines]
    if all(any(char.isdigit() for char in text) for text in texts):
        return True
    led = sum(bool(_LEADER.search(text)) for text in texts)
    had_room = sum(_room(line, cell.width) > _first_word(after) for line, after in pairwise(cell.lines))
    return 2 * max(led, had_room) > len(texts) - 1


def _room(line: CellLine, width: float) -> float:
    return width - (line[-1].x1 - line[0].x0) - line[0].size


def _first_word(line: CellLine) -> float:
    text = line[0].text
    return (line[0].x1 - line[0].x0) * len(text.split(" ", 1)[0]) / max(len(text), 1)


def _words(line: CellLine) -> str:
    return " ".join(run.text for run in line)

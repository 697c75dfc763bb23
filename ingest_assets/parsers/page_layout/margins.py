"""Pair the blocks of two unequal columns: headings in the margin and their text, cells of several lines.

Manuals put the heading of a section beside its text, and forms and wide tables have several lines of text side by side.
Reading down would separate what belongs together, and reading across would mix the lines of both. But the content of
such files goes block by block: some lines on the left, some on the right, then the next pair below them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, pairwise

from ingest_assets.parsers.page_layout.runs import Run

_LABEL = re.compile(r"[(\[]?\w{1,4}[.)\]]|[•●○▪■□◦‣–—*]")
_MIN_PAIRS = 2  # one pair is two columns of a page, which are read down
_MIN_LINES = 1.7  # mean number of lines per block; shorter blocks are rows of a table, which are read across


def blocks(lines: Sequence[Sequence[Run]], x: float) -> list[tuple[list[Run], list[Run]]]:
    """Return the pairs of blocks left and right of an x, from the top; empty if the lines are not such blocks."""
    if any(_LABEL.fullmatch(run.text) for line in lines for run in line if run.x0 + run.x1 < 2 * x):
        return []  # the labels of a list belong to the lines beside them
    runs = sorted((run for line in lines for run in line), key=lambda run: run.order)
    sides = [(is_left, list(block)) for is_left, block in groupby(runs, key=lambda run: run.x0 + run.x1 < 2 * x)]
    pairs: list[tuple[list[Run], list[Run]]] = []
    for is_left, block in sides:
        if is_left or not pairs:
            pairs.append(([], []))
        pairs[-1][0 if is_left else 1].extend(block)
    if len(pairs) < _MIN_PAIRS or not all(_are_below(above, below) for above, below in pairwise(pairs)):
        return []
    are_long = all(sum(_lines(pair[side]) for pair in pairs) >= _MIN_LINES * len(pairs) for side in (0, 1))
    return pairs if are_long else []


def _are_below(above: tuple[list[Run], list[Run]], below: tuple[list[Run], list[Run]]) -> bool:
    foot = min(run.y0 for side in above for run in side)
    return all(run.y0 + run.y1 < 2 * foot for side in below for run in side)


def _lines(runs: Sequence[Run]) -> int:
    """Count the lines of a block."""
    middles = sorted((run.y0 + run.y1) / 2 for run in runs)
    height = max((run.y1 - run.y0 for run in runs), default=0.0)
    return (1 if runs else 0) + sum(b - a > height / 2 for a, b in pairwise(middles))

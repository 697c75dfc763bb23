"""Lines of a picture in, its columns out, in reading order.

OCR gives no order to go by, only places. A gutter parts a page into columns where prose stands on both of its sides, or
where the lines on its sides do not stand on common rows: a table's cells do. What crosses it (a heading over two
columns) divides the page into bands, read from top to bottom; each column is parted again in the same way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from ingest_assets.parsers.page_layout.runs import Run

_MIN_ROWS = 3  # fewer lines beside others are a heading and its date, or a form, read across
_CANDIDATES = 24  # gutters that are looked at closely, those that the fewest lines cross
# A line of prose is long for its height, and as long as the one above or below it, which it stands close to.
_PROSE_ASPECT, _PROSE_LIKENESS, _PROSE_STEP = 7, 0.75, 1.6
_PROSE_SHARE = 0.5  # of the letters of a column: the rest is headings and last lines
# Cells are on one row within a sixth of their height, as their letters reach up and down; of unrelated lines that are
# set close, two in five are, of a table's nearly all.
_SAME_ROW, _ROWS_SHARE = 0.18, 0.75
_TOLERANCE = 0.4  # of the height: boxes may reach so far into a gutter
_GAP = 0.4  # of the height, between boxes: a heading that stands apart from the column that it is printed below


def columns(runs: Sequence[Run]) -> list[list[Run]]:
    """Part the lines of a page into columns, and into what stands across them."""
    prose = _prose(runs)
    return [column for column in _parted(list(runs), prose) if column]


def _parted(runs: list[Run], prose: set[int]) -> Iterator[list[Run]]:
    x = _gutter(runs, prose)
    if x is None:
        yield runs
        return
    for across, band in _bands(runs, x):
        left, right = _sides(band, x)
        if across or not _side_by_side(left, right, prose):
            yield band
        else:
            left, below = _without_what_stands_below(left, right)
            yield from _parted(left, prose)
            yield from _parted(right, prose)
            yield below


def _bands(runs: Sequence[Run], x: float) -> Iterator[tuple[bool, list[Run]]]:
    """Yield what crosses a gutter and what does not, from top to bottom."""
    ordered = sorted(runs, key=lambda run: (-run.y0 - run.y1, run.x0))
    for across, band in groupby(ordered, key=partial(_crosses, x=x)):
        yield across, list(band)


def _gutter(runs: Sequence[Run], prose: set[int]) -> float | None:
    """Find the x that parts the most lines into two columns."""
    best, gutter = _MIN_ROWS - 1, None
    for x in _candidates(runs):
        score = 0
        for across, band in _bands(runs, x):
            left, right = _sides(band, x)
            parted = min(len(left), len(right))  # what is left beside each other is read across
            score += parted if not across and _side_by_side(left, right, prose) else -parted
        if score > best:
            best, gutter = score, x
    return gutter


def _candidates(runs: Sequence[Run]) -> list[float]:
    """Return the middles of gaps between a line's end and the next line's beginning, those fewest lines cross first."""
    starts, ends = sorted(run.x0 for run in runs), sorted(run.x1 for run in runs)
    found: dict[float, int] = {}
    for end in ends:
        after = bisect_left(starts, end - 1)
        if after < len(starts):
            x = (end + starts[after]) / 2
            found[x] = bisect_left(starts, x) - bisect_left(ends, x)
    return sorted(found, key=lambda x: (found[x], x))[:_CANDIDATES]


def _crosses(run: Run, x: float) -> bool:
    reach = _TOLERANCE * (run.y1 - run.y0)
    return run.x0 < x - reach and run.x1 > x + reach


def _sides(band: Sequence[Run], x: float) -> tuple[list[Run], list[Run]]:
    return [run for run in band if run.x0 + run.x1 < 2 * x], [run for run in band if run.x0 + run.x1 >= 2 * x]


def _without_what_stands_below(left: list[Run], right: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Part off the heading of what follows: the last line of the left column, apart from it and below both."""
    before, last = left[-2:]
    stands_apart = before.y0 - last.y1 > _GAP * last.size and last.y1 < min(run.y0 for run in right)
    return (left[:-1], [last]) if stands_apart else (left, [])


def _side_by_side(left: Sequence[Run], right: Sequence[Run], prose: set[int]) -> bool:
    """Tell two columns of a page from two columns of a table."""
    if min(len(left), len(right)) < _MIN_ROWS:
        return False
    return (_is_prose(left, prose) and _is_prose(right, prose)) or not _on_common_rows(left, right)


def _is_prose(runs: Sequence[Run], prose: set[int]) -> bool:
    letters = sum(len(run.text) for run in runs)
    return sum(len(run.text) for run in runs if run.order in prose) >= _PROSE_SHARE * letters


def _on_common_rows(left: Sequence[Run], right: Sequence[Run]) -> bool:
    few, many = sorted((left, right), key=len)
    middles = sorted(run.y0 + run.y1 for run in many)
    common = 0
    for run in few:
        near = 2 * _SAME_ROW * (run.y1 - run.y0)
        middle = run.y0 + run.y1
        common += bisect_left(middles, middle - near) < bisect_left(middles, middle + near)
    return common >= _ROWS_SHARE * len(few)


def _prose(runs: Sequence[Run]) -> set[int]:
    """Return the numbers of the lines that have a neighbour of prose."""
    found: set[int] = set()
    down = sorted(runs, key=lambda run: -run.y0 - run.y1)
    for index, run in enumerate(down):
        for below in down[index + 1 :]:
            if run.y0 + run.y1 - below.y0 - below.y1 > 2 * _PROSE_STEP * run.size:
                break
            if _are_prose(run, below):
                found |= {run.order, below.order}
    return found


def _are_prose(a: Run, b: Run) -> bool:
    widths = sorted((a.x1 - a.x0, b.x1 - b.x0))
    is_long = widths[0] >= _PROSE_ASPECT * max(a.size, b.size)
    is_alike = widths[0] >= _PROSE_LIKENESS * widths[1]
    return is_long and is_alike and min(a.x1, b.x1) - max(a.x0, b.x0) > _PROSE_LIKENESS * widths[0]

"""Find the columns in the lines that OCR found, and put them into reading order.

OCR gives only places, not the content order that `page_layout.columns` uses for PDF. A gutter separates columns of a
page if there is prose on both of its sides, or if the lines on its sides are not on common rows, as the cells of a
table are. Lines that cross it (a heading over two columns) divide the page into bands, which are read from top to
bottom. Each column is divided again in the same way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from ingest_assets.parsers.page_layout.runs import Run

_MIN_ROWS = 3  # fewer lines side by side are a heading and its date, or a form, and are read across
_CANDIDATES = 24  # gutters that are examined: those that the fewest lines cross
# A line of prose is long for its height, almost as long as the line above or below it, and close to it.
_PROSE_ASPECT, _PROSE_LIKENESS, _PROSE_STEP = 7, 0.75, 1.6
_PROSE_SHARE = 0.5  # of the letters of a column: the rest are headings and last lines
# Cells of one row differ by up to a sixth of their height, because of ascenders and descenders. Of unrelated close
# lines two in five are on a common row, of the cells of a table nearly all.
_SAME_ROW, _ROWS_SHARE = 0.18, 0.75
_TOLERANCE = 0.4  # of the height; boxes may extend so far into a gutter
_GAP = 0.4  # of the height, between boxes: a wider gap separates a heading from the column above it


def columns(runs: Sequence[Run]) -> list[list[Run]]:
    """Divide the lines of a page into columns and the lines that cross them, in reading order."""
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
            left, below = _without_heading_below(left, right)
            yield from _parted(left, prose)
            yield from _parted(right, prose)
            yield below


def _bands(runs: Sequence[Run], x: float) -> Iterator[tuple[bool, list[Run]]]:
    """Yield the bands of a page from top to bottom, with whether their lines cross the gutter."""
    ordered = sorted(runs, key=lambda run: (-run.y0 - run.y1, run.x0))
    for across, band in groupby(ordered, key=partial(_crosses, x=x)):
        yield across, list(band)


def _gutter(runs: Sequence[Run], prose: set[int]) -> float | None:
    """Return the x that separates the most lines into two columns, or None."""
    best, gutter = _MIN_ROWS - 1, None
    for x in _candidates(runs):
        score = 0
        for across, band in _bands(runs, x):
            left, right = _sides(band, x)
            parted = min(len(left), len(right))  # lines that stay side by side are read across, which counts against x
            score += parted if not across and _side_by_side(left, right, prose) else -parted
        if score > best:
            best, gutter = score, x
    return gutter


def _candidates(runs: Sequence[Run]) -> list[float]:
    """Return the middles of gaps between the end of a line and the next start; those that fewest lines cross first."""
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


def _without_heading_below(left: list[Run], right: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Separate the heading of the next band: the last line of the left column, if a gap and both columns are above."""
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
    """Return the `order` of each line that is prose with the line above or below it."""
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

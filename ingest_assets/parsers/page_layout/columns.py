"""Find the columns of a page, and put its runs of text into rows in reading order.

The order of the content in a file is only a hint: in some files titles come last, in others two columns come row by
row. Therefore columns are found by geometry (a gutter that few runs cross). The content order decides only what
geometry cannot: whether two columns of text belong to a page and are read down, or to a table and are read across.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise
from statistics import median_low

from ingest_assets.parsers.page_layout.margins import blocks
from ingest_assets.parsers.page_layout.rows import Flow, is_apart, rows_of_line
from ingest_assets.parsers.page_layout.runs import Run

_BINS = 120  # the narrowest gutter is 1/120 of the width of the text (4 pt on A4); narrower gaps are word spaces
_MIN_ROWS = 3  # fewer rows side by side are a heading and its date, two captions or a form, and are read across
_MAX_SPLITS = 4  # more than five columns are a table
_PROSE_CHARS = 22  # mean characters per row from which text is prose rather than table cells
_LIST_ROWS = 12  # more pairs than this are an index in two columns, not a form
_TOUCH = 0.9  # ems; runs of one line with a smaller gap belong together


def flows(runs: Sequence[Run]) -> list[Flow]:
    """Put runs into columns in reading order; text that is turned differently from most of the page comes last."""
    letters: dict[int, int] = {}
    for run in runs:
        letters[run.turn] = letters.get(run.turn, 0) + len(run.text)
    ordered: list[Flow] = []
    for turn in sorted(letters, key=lambda turn: (-letters[turn], turn)):
        joined = _join_touching([run for run in runs if run.turn == turn])
        ordered.extend(_split(joined, _MAX_SPLITS))
    return [flow for flow in ordered if flow]


def _join_touching(runs: list[Run]) -> list[Run]:
    """Join runs that follow each other in the content and touch on one line: superscripts, changes of font."""
    joined: list[Run] = []
    for run in runs:
        last = joined[-1] if joined else None
        if (
            last
            and not (last.table or run.table)
            and abs(run.x0 - last.x1) < _TOUCH * max(run.size, last.size, 1)
            and _same_row(last, run)
        ):
            joined[-1] = _joined(last, run)
        else:
            joined.append(run)
    return joined


def _joined(a: Run, b: Run) -> Run:
    main = a if len(a.text) >= len(b.text) else b
    text = a.text + (" " if is_apart(a, b) else "") + b.text
    box = (min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))
    return Run(text, *box, main.size, a.bold and b.bold, a.turn, b.order, b.spaced, a.italic and b.italic)


def _same_row(a: Run, b: Run) -> bool:
    # Without min and max, for speed: it is called for each pair of neighbours several times per page.
    a0, a1, b0, b1 = a.y0, a.y1, b.y0, b.y1
    overlap = 2 * ((a1 if a1 < b1 else b1) - (a0 if a0 > b0 else b0))
    return overlap > a1 - a0 or overlap > b1 - b0


def _split(runs: list[Run], splits: int) -> Iterator[Flow]:
    """Yield the flows of a region: the two columns of each band, and between bands the lines that cross the gutter."""
    lines = _lines(runs)
    gutter = _gutter(lines) if splits and len(lines) >= _MIN_ROWS else None
    if gutter is None:
        yield [row for line in lines for row in rows_of_line(line)]
        return
    across: Flow = []
    for is_full, band in groupby(lines, key=lambda line: _crosses(line, gutter)):
        members = list(band)
        sides = [] if is_full else _sides(members, gutter)
        if not sides:
            across.extend(row for line in members for row in rows_of_line(line))
            continue
        if across:
            yield across
            across = []
        for side in sides:
            yield from _split(sorted(side, key=lambda run: run.order), splits - 1)
    if across:
        yield across


def _sides(lines: list[list[Run]], x: float) -> list[list[Run]]:
    """Return the parts left and right of a gutter in reading order, or nothing if the lines are read across."""
    if _side_by_side(lines, x):
        return [_left_of(lines, x), _right_of(lines, x)]
    return [side for pair in blocks(lines, x) for side in pair if side]


def _lines(runs: list[Run]) -> list[list[Run]]:
    """Group the runs of each line, from the top."""
    lines: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: (-(run.y0 + run.y1), run.x0, run.order)):
        if lines and _same_row(lines[-1][0], run):
            lines[-1].append(run)
        else:
            lines.append([run])
    return lines


def _gutter(lines: list[list[Run]]) -> float | None:
    """Return the x that separates the most rows into two columns, or None."""
    best, gutter = _MIN_ROWS - 1, None
    for x in _candidates([run for line in lines for run in line]):
        score = 0
        for is_full, band in groupby(lines, key=lambda line: _crosses(line, x)):
            members = [] if is_full else list(band)
            if len(members) >= _MIN_ROWS and len(members) + score > best:
                score += _parted(members, x)
        if score > best:
            best, gutter = score, x
    return gutter


def _parted(lines: list[list[Run]], x: float) -> int:
    """Count the rows that a gutter separates; 0 if it is not between two columns of a page."""
    return min(len(_left_of(lines, x)), len(_right_of(lines, x))) if _sides(lines, x) else 0


def _candidates(runs: list[Run]) -> list[float]:
    """Return the x of at most eight possible gutters, where the fewest runs lie; the emptiest first.

    All runs are projected on the x axis; a gutter is the middle of a valley in that projection.
    """
    left, right = min(run.x0 for run in runs), max(run.x1 for run in runs)
    step = (right - left) / _BINS
    if step <= 0:
        return []
    change = [0] * (_BINS + 2)
    for run in runs:
        change[int((run.x0 - left) / step)] += 1
        change[int((run.x1 - left) / step) + 1] -= 1
    shadow = list(accumulate(change))[: _BINS + 1]
    valleys: list[tuple[int, float]] = []
    position = 0
    for depth, same in groupby(shadow):
        width = len(list(same))
        start, position = position, position + width
        is_inside = start > _BINS * 0.08 and position < _BINS * 0.92
        if is_inside and shadow[start - 1] > depth < shadow[position]:
            valleys.append((depth, left + step * (start + width / 2)))
    return [x for _, x in sorted(valleys)[:8]]


def _crosses(line: list[Run], x: float) -> bool:
    if len(line) == 1:  # without a generator, for speed: it is called a thousand times per page, mostly for one run
        return line[0].x0 < x - 1 and line[0].x1 > x + 1
    return any(run.x0 < x - 1 and run.x1 > x + 1 for run in line)


def _left_of(lines: list[list[Run]], x: float) -> list[Run]:
    return [run for line in lines for run in line if run.x0 + run.x1 < 2 * x]


def _right_of(lines: list[list[Run]], x: float) -> list[Run]:
    return [run for line in lines for run in line if run.x0 + run.x1 >= 2 * x]


def _side_by_side(lines: list[list[Run]], x: float) -> bool:
    """Tell two columns of a page from two columns of a table."""
    runs = [run for line in lines for run in line]
    is_left = [run.x0 + run.x1 < 2 * x for run in runs]
    few = min(sum(is_left), len(runs) - sum(is_left))
    if few < _MIN_ROWS:
        return False
    sides = [side for _, side in sorted((run.order, side) for run, side in zip(runs, is_left, strict=True))]
    turns = sum([a != b for a, b in pairwise(sides)])
    if turns <= max(3, few // 10):  # the content goes down one side and then down the other
        return few >= _LIST_ROWS or not _are_pairs(lines, x)
    return _is_prose(_left_of(lines, x)) and _is_prose(_right_of(lines, x))


def _are_pairs(lines: list[list[Run]], x: float) -> bool:
    """Tell whether the lines are pairs of short texts, labels and values, in any content order."""
    pairs = [line for line in lines if len(line) > 1 and _left_of([line], x) and _right_of([line], x)]
    runs = [run for line in lines for run in line]
    chars = sum(len(run.text) for run in runs) / len(runs)
    return chars < _PROSE_CHARS and len(pairs) > 0.6 * len(lines)


def _is_prose(runs: list[Run]) -> bool:
    """Tell whether most rows are long and fill their column."""
    width = max(run.x1 for run in runs) - min(run.x0 for run in runs)
    chars = sum(len(run.text) for run in runs) / len(runs)
    return chars >= _PROSE_CHARS and median_low([run.x1 - run.x0 for run in runs]) > 0.75 * width

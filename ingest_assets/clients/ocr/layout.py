"""Join the lines that OCR found in a picture to text in reading order, with paragraphs joined and hyphens removed.

A scanned page has the same typesetting as a PDF page, so the rules of `parsers.page_layout` apply: columns are read
down, tables across. Three effects of scanning are removed first: the slant; boxes with the height of their letters (a
line without f and g is a quarter lower than its neighbours); and the missing unit of length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, sin
from statistics import fmean, median, median_low

from ingest_assets.clients.ocr.columns import columns
from ingest_assets.parsers.page_layout.columns import flows
from ingest_assets.parsers.page_layout.paragraphs import paragraphs
from ingest_assets.parsers.page_layout.rows import Flow, Row
from ingest_assets.parsers.page_layout.runs import Run
from ingest_assets.parsers.page_layout.words import words_of

# The usual size of print, in points, for which the rules of page layout are made.
_BODY_PT = 10.0
# The height of a box differs by up to a quarter from the font size of its line.
_SAME_SIZE = 1.3
# The slant is measured on lines that are at least five times as long as high; shorter boxes follow their letters.
_LONG = 5
# Radians; a line that differs by more from the slant of the page was set askew on purpose.
_ASKEW = 0.05
# Times the size: the detector makes boxes so much longer than their letters, half the space between narrow columns.
_MARGIN = 0.15
# Times the usual leading of the column; a wider gap ends a group of lines.
_GAP = 1.35
# Of the column's width: rows of prose fill it, even if ragged; labels, addresses and verse do not.
_FILLED = 0.85
# Width over height: a row of prose has at least four words.
_PROSE_ASPECT = 8
_GOES_ON = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and its box, in pixels from the top left."""

    text: str
    x: float
    """Middle of its box."""
    y: float
    width: float
    """Along the text, or across it if the text is on its side."""
    height: float
    tilt: float = 0.0
    """Angle of the box, in radians clockwise."""
    score: float = 1.0
    """Confidence of the recogniser, 0 to 1."""


def text_of(lines: Sequence[Line]) -> str:
    """Join lines to a text: a blank line between paragraphs, a line end where a line ends early on purpose."""
    runs = _runs([line for line in lines if line.text])
    words = words_of("\n".join(run.text for run in runs))
    ordered = [flow for turned in _by_turn(runs) for column in columns(turned) for flow in flows(column)]
    rows = [[row for group in _groups(flow) for row in _rows(group)] for flow in ordered]
    return "\n\n".join(paragraph.text for paragraph in paragraphs(rows, words=words))


def confidence_of(lines: Sequence[Line]) -> float | None:
    """Return the mean score of the characters, or None if there are none."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / characters if characters else None


def is_on_its_side(line: Line) -> bool:
    """Tell whether a line runs up or down the page; never for a single letter."""
    return line.height > 1.5 * line.width and len(line.text) > 1


def _runs(lines: Sequence[Line]) -> list[Run]:
    """Turn lines into runs as a PDF has them: straight, y upwards, the usual print 10 points high."""
    if not lines:
        return []
    thickness = [min(line.width, line.height) for line in lines]
    weights = [len(line.text) for line in lines]
    body = max(median(height for height, count in zip(thickness, weights, strict=True) for _ in range(count)), 1.0)
    slant = _slant(lines)
    scale = _BODY_PT / body
    runs = []
    for line, height in zip(lines, thickness, strict=True):
        size = body if body / _SAME_SIZE < height < body * _SAME_SIZE else height
        x = scale * (line.x * cos(slant) + line.y * sin(slant))
        y = scale * (line.x * sin(slant) - line.y * cos(slant))
        length = line.height if is_on_its_side(line) else line.width
        runs.append(_run(line, x, y, size=size * scale, length=length * scale))
    down = sorted(runs, key=lambda run: (-(run.y0 + run.y1), run.x0, run.text))
    ordered = [run._replace(order=order) for order, run in enumerate(down)]
    # In this order no run follows the one beside it: page layout would join them, but they may be close columns.
    return sorted(ordered, key=lambda run: (run.x0, run.order))


def _slant(lines: Sequence[Line]) -> float:
    """Return the angle of the page in radians: the mean, because the angle of one line has steps of a pixel."""
    tilts = [line.tilt for line in lines if line.width > _LONG * line.height]
    if not tilts:
        return 0.0
    usual = median(tilts)
    return fmean(tilt for tilt in tilts if abs(tilt - usual) < _ASKEW)


def _run(line: Line, x: float, y: float, *, size: float, length: float) -> Run:
    half = max(length / 2 - _MARGIN * size, size / 4)
    turn = 3 if is_on_its_side(line) else 0
    if turn:  # in coordinates that are turned with the line, so that x grows along it
        x, y = -y, x
    return Run(line.text, x - half, y - size / 2, x + half, y + size / 2, size, turn=turn, spaced=True)


def _by_turn(runs: Sequence[Run]) -> list[list[Run]]:
    """Separate upright lines from those on their side, which come last."""
    return [[run for run in runs if run.turn == turn] for turn in sorted({run.turn for run in runs})]


def _groups(flow: Flow) -> Iterator[list[Row]]:
    """Divide a column where the gap between rows is wider than usual."""
    steps = sorted(a.y0 - b.y0 for a, b in pairwise(flow) if a.y0 > b.y0)
    usual = steps[len(steps) // 4] if steps else 0.0
    group: list[Row] = []
    for row in flow:
        if group and not -row.size / 2 < group[-1].y0 - row.y0 < _GAP * usual:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _rows(group: list[Row]) -> list[Row]:
    """Return rows of prose unchanged, to be joined later; make one row with line ends of all others."""
    if len(group) == 1 or _is_prose(group):
        return group
    text = "\n".join(row.text for row in group)
    return [group[0]._replace(text=text, y0=group[-1].y0, x1=max(row.x1 for row in group), cells=group[0].cells[:1])]


def _is_prose(group: list[Row]) -> bool:
    """Tell whether rows are prose: they fill their column, or begin in lower case."""
    widths = [row.x1 - row.x0 for row in group]
    column = max(row.x1 for row in group) - min(row.x0 for row in group)
    is_filled = median_low(widths) >= _FILLED * column and column >= _PROSE_ASPECT * group[0].size
    going_on = sum(bool(_GOES_ON.match(row.text)) and not row.text[0].isupper() for row in group[1:])
    return (is_filled and len(group) > 2) or 2 * going_on >= len(group) - 1

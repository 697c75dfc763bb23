"""Lines that OCR found in a picture in, its text out: in reading order, paragraphs joined, hyphens undone.

A page that was scanned is set like one that was not, so it is read by the rules of PDF pages (`pdf_layout`,
`pdf_paragraphs`): columns down, tables across. What a scan adds is undone first: a slant, boxes that are as high as
their letters happen to be (a line without an f or a g is a quarter lower than its neighbours), and no unit of length.
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

# What the rules for PDF pages take for a usual size of print, in points.
_BODY_PT = 10.0
# A box is up to a quarter lower or higher than the letters of its line are large.
_SAME_SIZE = 1.3
# The slant of a line is known from five times its height on; shorter boxes lie as their letters do.
_LONG = 5
# A line that is off by more, in radians, is set askew on purpose.
_ASKEW = 0.05
# A box reaches past its letters by what the detector adds around them: half of the space between narrow columns.
_MARGIN = 0.15
# Of the column's own leading: half a blank line more begins something else.
_GAP = 1.35
# Of the column's width: rows of prose fill it, even set ragged; labels, addresses and verse do not.
_FILLED = 0.85
# Row width over height: a row of prose has at least four words.
_PROSE_ASPECT = 8
_GOES_ON = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and where it stands, in pixels from the top left."""

    text: str
    x: float
    """Middle of its box."""
    y: float
    width: float
    """Along the text, or across it where the text stands on its side."""
    height: float
    tilt: float = 0.0
    """Angle of the box, in radians clockwise."""
    score: float = 1.0
    """How sure the recogniser is of it, 0 to 1."""


def text_of(lines: Sequence[Line]) -> str:
    """Join lines to a text: a blank line between paragraphs, a line end where a line was ended on purpose."""
    runs = _runs([line for line in lines if line.text])
    words = words_of("\n".join(run.text for run in runs))
    ordered = [flow for turned in _by_turn(runs) for column in columns(turned) for flow in flows(column)]
    rows = [[row for group in _groups(flow) for row in _rows(group)] for flow in ordered]
    return "\n\n".join(paragraph.text for paragraph in paragraphs(rows, words=words))


def confidence_of(lines: Sequence[Line]) -> float | None:
    """Return the mean score of the characters; None where there are none."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / characters if characters else None


def is_on_its_side(line: Line) -> bool:
    """Tell whether a line runs up or down; a single letter does neither."""
    return line.height > 1.5 * line.width and len(line.text) > 1


def _runs(lines: Sequence[Line]) -> list[Run]:
    """Place lines as PDF places text: straight, y upwards, the usual print 10 points high, from top to bottom."""
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
    # Neighbours that touch would be joined, as words of one line; here they are lines of two columns, close together.
    return sorted(ordered, key=lambda run: (run.x0, run.order))


def _slant(lines: Sequence[Line]) -> float:
    """Return the angle of the page: the mean, as that of one line comes in steps of a pixel over its length."""
    tilts = [line.tilt for line in lines if line.width > _LONG * line.height]
    if not tilts:
        return 0.0
    usual = median(tilts)
    return fmean(tilt for tilt in tilts if abs(tilt - usual) < _ASKEW)


def _run(line: Line, x: float, y: float, *, size: float, length: float) -> Run:
    half = max(length / 2 - _MARGIN * size, size / 4)
    turn = 3 if is_on_its_side(line) else 0
    if turn:  # in the frame that is turned with it: x grows along the line
        x, y = -y, x
    return Run(line.text, x - half, y - size / 2, x + half, y + size / 2, size, turn=turn, spaced=True)


def _by_turn(runs: Sequence[Run]) -> list[list[Run]]:
    """Part lines that stand upright from those on their side, which come last."""
    return [[run for run in runs if run.turn == turn] for turn in sorted({run.turn for run in runs})]


def _groups(flow: Flow) -> Iterator[list[Row]]:
    """Part a column where it leaves more room between rows than it usually does."""
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
    """Leave rows of prose to be joined; others keep their line ends, as one row that holds them all."""
    if len(group) == 1 or _is_prose(group):
        return group
    text = "\n".join(row.text for row in group)
    return [group[0]._replace(text=text, y0=group[-1].y0, x1=max(row.x1 for row in group), cells=group[0].cells[:1])]


def _is_prose(group: list[Row]) -> bool:
    """Tell whether rows read on: they fill their column, or go on in lower case."""
    widths = [row.x1 - row.x0 for row in group]
    column = max(row.x1 for row in group) - min(row.x0 for row in group)
    is_filled = median_low(widths) >= _FILLED * column and column >= _PROSE_ASPECT * group[0].size
    going_on = sum(bool(_GOES_ON.match(row.text)) and not row.text[0].isupper() for row in group[1:])
    return (is_filled and len(group) > 2) or 2 * going_on >= len(group) - 1

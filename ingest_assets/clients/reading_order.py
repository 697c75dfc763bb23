"""Boxes of text in a picture in, rows of them in reading order out.

A page of prose in columns is read column by column; a table, chart or diagram row by row. The two are told apart by the
shape of the boxes: a gutter counts only where whole lines of prose stand on both of its sides. Boxes that cross it (a
heading over two columns) divide the page into bands that are read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Box:
    """A piece of text and where it stands, in pixels from the top left."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


# A line of prose is long for its height and does not stand alone; a table's cell fails one of the two.
PROSE_ASPECT = 6
PROSE_LINES = 4
# One box in eight may cross the gutter: headings, figures' captions.
CROSSING_SHARE = 1 / 8


def in_reading_order(boxes: Sequence[Box]) -> list[list[Box]]:
    """Arrange boxes into rows, each from left to right, in the order a person reads them."""
    gutter = _gutter(boxes)
    if gutter is None:
        return _rows(boxes)
    rows: list[list[Box]] = []
    left: list[Box] = []
    right: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box.middle, box.left)):
        if box.right <= gutter:
            left.append(box)
        elif box.left >= gutter:
            right.append(box)
        else:
            rows += [*in_reading_order(left), *in_reading_order(right), [box]]
            left, right = [], []
    return [*rows, *in_reading_order(left), *in_reading_order(right)]


def _gutter(boxes: Sequence[Box]) -> float | None:
    """Find where the page parts into columns: the middle of the gap that fewest boxes cross."""
    best: tuple[int, float] | None = None
    for edge in sorted({box.right for box in boxes}):
        following = [box.left for box in boxes if box.left >= edge]
        if not following:
            continue
        x = (edge + min(following)) / 2
        left = [box for box in boxes if box.right <= x]
        right = [box for box in boxes if box.left >= x]
        crossing = len(boxes) - len(left) - len(right)
        if crossing <= len(boxes) * CROSSING_SHARE and _is_prose(left) and _is_prose(right):
            best = min(best or (crossing, x), (crossing, x))
    return best[1] if best else None


def _is_prose(boxes: Sequence[Box]) -> bool:
    if len(boxes) < PROSE_LINES:
        return False
    return median((box.right - box.left) / max(box.height, 1) for box in boxes) >= PROSE_ASPECT


def _rows(boxes: Sequence[Box]) -> list[list[Box]]:
    """Gather boxes whose middles lie within the first one's height; a slanted scan stays one row that way."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: (box.middle, box.left)):
        if rows and abs(box.middle - rows[-1][0].middle) < min(box.height, rows[-1][0].height) / 2:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda box: box.left) for row in rows]

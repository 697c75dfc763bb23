"""Find the horizontal and vertical rules of a PDF page, which tables are drawn with.

A rule is drawn as a stroked line, as an edge of a stroked rectangle, as a filled rectangle that is thin as a line, or
as a dot with a pen as wide as the rule is long. Paths that are slanted, curved or too short belong to drawings. A page
with thousands of paths is a map or a plot and has no table.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import pairwise
from math import hypot, inf
from typing import Any, NamedTuple, TypeAlias

from ingest_assets.parsers.pdf.objects import PageObjects

MAX_PATHS = 4_000  # a table of 40 rows and 10 columns whose cells have four borders each has 1,600
MAX_PIECES = 10_000  # of rules: dashes, and borders of single cells
MAX_RULES = 300  # per direction and page; a page has about 80 lines of text
_MAX_SEGMENTS = 400  # of one path; a whole grid may be one path
_THIN = 3.0  # points; a filled area that is not thicker is a rule
_MIN_LENGTH = 6.0  # points; less than the height of a line of text
_STRAIGHT = 0.5  # points; the ends of a horizontal or vertical line differ by less
_SAME_LINE = 1.0  # points; pieces of one line differ by less
_GAP = 3.0  # points between the dashes of a line, at most

_Matrix: TypeAlias = tuple[float, float, float, float, float, float]
_Point: TypeAlias = tuple[float, float]
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Rule(NamedTuple):
    """A line: its place on one axis, and its start and end on the other, in points."""

    at: float
    start: float
    end: float


class Rules(NamedTuple):
    """The rules of a page."""

    across: tuple[Rule, ...] = ()
    down: tuple[Rule, ...] = ()
    shades: tuple[Rule, ...] = ()
    """Upper and lower edges of filled areas: they can separate rows of a table, but not form a table."""


def read_rules(objects: PageObjects) -> Rules:
    """Read the rules of a page; none if it has more paths than tables need."""
    import pypdfium2.raw as raw

    if len(objects.paths) > MAX_PATHS:
        return Rules()
    across: list[Rule] = []
    down: list[Rule] = []
    shades: list[Rule] = []
    for path in objects.paths:
        matrix = _IDENTITY
        for handle in (path.handle, *reversed(path.outer)):
            matrix = _times(matrix, _matrix(handle, raw))
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        raw.FPDFPath_GetDrawMode(path.handle, fill, stroke)
        outlines = list(_outlines(path.handle, matrix, raw)) if fill.value or stroke.value else []
        pen = _pen(path.handle, matrix, raw) if stroke.value else 0.0
        if fill.value:
            shades.extend(rule for outline in outlines for rule in _edges(outline))
        for (x0, y0), (x1, y1) in (line for outline in outlines for line in _lines(outline, pen)):
            if abs(y1 - y0) <= _STRAIGHT < abs(x1 - x0):
                across.append(Rule((y0 + y1) / 2, min(x0, x1), max(x0, x1)))
            elif abs(x1 - x0) <= _STRAIGHT < abs(y1 - y0):
                down.append(Rule((x0 + x1) / 2, min(y0, y1), max(y0, y1)))
        if len(across) + len(down) + len(shades) > MAX_PIECES:
            return Rules()
    rules = Rules(_joined(across), _joined(down), _joined(shades))
    return rules if max(len(rules.across), len(rules.down)) <= MAX_RULES else Rules()


def _joined(pieces: list[Rule]) -> tuple[Rule, ...]:
    """Join pieces that touch on one line: dashes, and borders of neighbouring cells."""
    lines: list[list[Rule]] = []
    for piece in sorted(pieces):
        if lines and piece.at - lines[-1][0].at <= _SAME_LINE:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    joined: list[Rule] = []
    for line in lines:
        rule = Rule(0.0, 0.0, -inf)
        for piece in sorted(line, key=lambda piece: piece.start):
            if piece.start <= rule.end + _GAP:
                rule = rule._replace(end=max(rule.end, piece.end))
                continue
            joined.append(rule)
            rule = piece
        joined.append(rule)
    return tuple(rule for rule in joined if rule.end - rule.start >= _MIN_LENGTH)


def _edges(outline: list[_Point]) -> Iterator[Rule]:
    """Yield the upper and the lower edge of a filled area, unless it is thin as a rule."""
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    if max(ys) - min(ys) > _THIN:
        yield from (Rule(y, min(xs), max(xs)) for y in (min(ys), max(ys)))


def _lines(outline: list[_Point], pen: float) -> Iterator[tuple[_Point, _Point]]:
    """Yield the straight lines of one outline; `pen` is its stroke width in points, 0 if it is only filled."""
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    x, y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    if max(width, height) <= _THIN and pen >= _MIN_LENGTH:
        half = pen / 2
        yield ((x, y - half), (x, y + half)) if width > height else ((x - half, y), (x + half, y))
    elif min(width, height) <= _THIN and len(outline) > 2:
        yield ((min(xs), y), (max(xs), y)) if width > height else ((x, min(ys)), (x, max(ys)))
    elif pen:
        yield from pairwise(outline)


def _pen(handle: Any, matrix: _Matrix, raw: Any) -> float:
    """Return the stroke width of a path in points on the page, at least 0.01."""
    width = ctypes.c_float()
    raw.FPDFPageObj_GetStrokeWidth(handle, width)
    return max(width.value * hypot(matrix[0], matrix[1]), 0.01)


def _outlines(handle: Any, matrix: _Matrix, raw: Any) -> Iterator[list[_Point]]:
    """Yield the points of each connected outline of a path that has no curve."""
    count = raw.FPDFPath_CountSegments(handle)
    if not 2 <= count <= _MAX_SEGMENTS:
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[_Point] = []
    is_curved = False
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(handle, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            if len(points) > 1 and not is_curved:
                yield points
            points, is_curved = [], False
        is_curved = is_curved or kind == raw.FPDF_SEGMENT_BEZIERTO
        points.append(_placed((x.value, y.value), matrix))
        if raw.FPDFPathSegment_GetClose(segment) and points:
            points.append(points[0])
    if len(points) > 1 and not is_curved:
        yield points


def _matrix(handle: Any, raw: Any) -> _Matrix:
    m = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(handle, m):
        return _IDENTITY
    return m.a, m.b, m.c, m.d, m.e, m.f


def _times(m: _Matrix, n: _Matrix) -> _Matrix:
    a, b, c, d, e, f = m
    p, q, r, s, t, u = n
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _placed(point: _Point, m: _Matrix) -> _Point:
    x, y = point
    return m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]

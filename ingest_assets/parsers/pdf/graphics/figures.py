"""Find the charts and drawings of a page by its drawn paths and its words.

Paths that are close together form a cluster. Clusters are found on a coarse grid, so that the time grows linearly with
the number of paths. A cluster is a figure if it has what tables, underlines and backgrounds do not have: curves,
slanted lines and triangles, or bars of different sizes without words in them. `drawings.py` draws the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import add
from typing import NamedTuple

from ingest_assets.parsers.pdf.objects import Box, PathObject

MAX_FIGURES = 6  # of a page; only the largest are kept

_CELL_PT = 6.0  # paths within two to three cells belong together: the bars of a chart, the boxes of a diagram
_MOST_CELLS = 150  # along a side, for pages of any size
_RULE_PT = 2.5  # thinner paths are rules, axes and underlines
_LONG_RULE = 0.5  # of the page's width; a longer rule divides the page and must not join clusters
_BACKGROUND = 0.5  # of the page; a larger path is a frame or a background colour
_MOSTLY = 0.4  # of a path's box must be on the page; otherwise PDFium counts the tip of a stroke that is not drawn
_FAR, _IN_TEXT = 0.2, 0.15  # of the page's side; of a path's cells with words: the frame of a diagram has fewer
_MIN_SIDES_PT = (60.0, 45.0)  # smaller drawings are icons, logos and formulas
_MIN_AREA_PT = 6_000.0
_MIN_FREE = 5  # curves or bars; arrows, bullets and rounded boxes around text have fewer
_GRAPH_SEGMENTS = 24  # a rounded rectangle has 17
_RECTANGLE_SEGMENTS = (4, 5)
_MOST_TEXT = 0.4  # of a figure's area: a flow chart has 0.3, a shaded table more
_MOST_PICTURE = 0.5  # of a figure's area: with more, the image is read as a picture already
_MOST_PAIRS = 500_000  # pairs of rectangles and words to compare; they take 50 ms
_PIECE = 0.1  # of a figure's area; a larger image in it may contain text
_LABEL_PT = 14.0  # one line of print; words within it are labels of the figure


class Figure(NamedTuple):
    """A drawing and its place on the page."""

    box: Box
    has_words: bool
    """It contains text of the page's text layer."""


class _Grid:
    """A page divided into squares, from its lower left corner."""

    def __init__(self, page: Box) -> None:
        self._left, self._bottom, right, top = page
        self._cell = max(_CELL_PT, (right - self._left) / _MOST_CELLS, (top - self._bottom) / _MOST_CELLS)
        self.columns = int((right - self._left) / self._cell) + 1
        self.rows = int((top - self._bottom) / self._cell) + 1

    def cells(self, box: Box, *, beside: int = 0) -> tuple[int, int, int, int]:
        """Return first column, first row, column after the last and row after the last of a box and `beside` cells."""
        x0, x1 = (int((x - self._left) / self._cell) for x in box[::2])
        y0, y1 = (int((y - self._bottom) / self._cell) for y in box[1::2])
        return (
            min(max(0, x0 - beside), self.columns),
            min(max(0, y0 - beside), self.rows),
            max(0, min(self.columns, x1 + 1 + beside)),
            max(0, min(self.rows, y1 + 1 + beside)),
        )

    def counts(self, boxes: Iterable[Box], *, beside: int = 0) -> list[list[int]]:
        """Count for each cell, row by row, the boxes that touch it; the time does not depend on the sizes of boxes."""
        steps = [[0] * (self.columns + 1) for _ in range(self.rows + 1)]
        for box in boxes:  # its four corners are marked; sums along rows and columns fill the box
            x0, y0, x1, y1 = self.cells(box, beside=beside)
            steps[y0][x0] += 1
            steps[y0][x1] -= 1
            steps[y1][x0] -= 1
            steps[y1][x1] += 1
        for row in steps:
            row[:] = accumulate(row)
        for below, row in pairwise(steps):
            row[:] = map(add, row, below)
        return [row[: self.columns] for row in steps[: self.rows]]


class _Text:
    """The cells of a page that have words."""

    def __init__(self, words: Sequence[Box], grid: _Grid) -> None:
        self._grid = grid
        self._sums = [[0] * (grid.columns + 1)]
        for row in grid.counts(words):
            line = [0, *accumulate(map(bool, row))]
            self._sums.append(list(map(add, line, self._sums[-1])))

    def share(self, box: Box) -> float:
        """Return the share of a box's cells that have words."""
        x0, y0, x1, y1 = self._grid.cells(box)
        cells = (x1 - x0) * (y1 - y0)
        covered = self._sums[y1][x1] - self._sums[y0][x1] - self._sums[y1][x0] + self._sums[y0][x0]
        return covered / cells if cells > 0 else 0.0


def figures(paths: Iterable[PathObject], *, words: Sequence[Box], images: Sequence[Box], page: Box) -> list[Figure]:
    """Return the figures of a page, the topmost first; `words` are the boxes of its upright text."""
    drawn = [shown for path in paths if (shown := _shown(path, page))]
    if sum(not _is_rule(path.box) for path in drawn) < _MIN_FREE and not any(map(_is_graph, drawn)):
        return []
    grid = _Grid(page)
    text = _Text(words, grid)
    drawn = [path for path in drawn if not _lies_under(path.box, text, page)]
    clusters = _clusters(drawn, grid)
    boxes = [box for cluster in clusters if (box := _figure(cluster, words=words, text=text, images=images))]
    largest = sorted(_merged(boxes), key=_area, reverse=True)[:MAX_FIGURES]
    found = (_labelled(box, words=words, page=page) for box in largest)
    return sorted(found, key=lambda figure: (-figure.box[3], figure.box[0]))


def is_part_of_any(found: Sequence[Figure], image: Box) -> bool:
    """Tell whether an image is a small part of a drawing (a shadow, a symbol), with which it is drawn."""
    return any(_area(image) < _PIECE * _area(figure.box) and _common(image, figure.box) == image for figure in found)


def _shown(path: PathObject, page: Box) -> PathObject | None:
    """Cut a path off at the page's edges; None if it is mostly outside, is a background, or divides the page."""
    box = _common(path.box, page)
    if box is None or _area(box) > _BACKGROUND * _area(page) or _area(box) < _MOSTLY * _area(path.box):
        return None
    if _is_rule(box) and max(box[2] - box[0], box[3] - box[1]) > _LONG_RULE * (page[2] - page[0]):
        return None
    return PathObject(box, path.segments)


def _lies_under(box: Box, text: _Text, page: Box) -> bool:
    """Tell whether a path reaches far into running text: a background, a frame, or a curve with a clipped end.

    PDFium's boxes ignore clipping, and they include tips of thick strokes that are not drawn.
    """
    reaches = max((box[2] - box[0]) / (page[2] - page[0]), (box[3] - box[1]) / (page[3] - page[1]))
    return reaches > _FAR and text.share(box) > _IN_TEXT


def _clusters(paths: Sequence[PathObject], grid: _Grid) -> Iterator[list[PathObject]]:
    """Group paths whose boxes touch on the grid."""
    names = _connected(grid.counts((path.box for path in paths), beside=1))
    groups: dict[int, list[PathObject]] = {}
    for path in paths:
        column, row, _, _ = grid.cells(path.box)
        groups.setdefault(names[min(row, grid.rows - 1)][min(column, grid.columns - 1)], []).append(path)
    yield from groups.values()


def _connected(counts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return for each cell the number of its connected region, from 1; 0 for cells that no path touches."""
    rows, columns = len(counts), len(counts[0])
    names, last = [[0] * columns for _ in counts], 0
    for start in ((row, column) for row in range(rows) for column in range(columns)):
        if not counts[start[0]][start[1]] or names[start[0]][start[1]]:
            continue
        last += 1
        waiting = [start]
        while waiting:
            row, column = waiting.pop()
            if 0 <= row < rows and 0 <= column < columns and counts[row][column] and not names[row][column]:
                names[row][column] = last
                waiting += ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
    return names


def _figure(cluster: Sequence[PathObject], *, words: Sequence[Box], text: _Text, images: Sequence[Box]) -> Box | None:
    """Return the box of a cluster, or None if it is not a figure."""
    boxes = [path.box for path in cluster]
    box = _around(boxes)
    wide, high = _MIN_SIDES_PT
    if box[2] - box[0] < wide or box[3] - box[1] < high or _area(box) < _MIN_AREA_PT:
        return None
    if text.share(box) > _MOST_TEXT or _covered(box, images) > _MOST_PICTURE:
        return None
    if sum(_is_free(path) for path in cluster) >= _MIN_FREE or any(map(_is_graph, cluster)):
        return box
    return box if _has_bars(cluster, words=[word for word in words if _common(word, box)]) else None


def _is_free(path: PathObject) -> bool:
    """Tell a curve, a slanted line or a triangle from the rules and rectangles of a table."""
    if _is_rule(path.box):
        return False
    return path.segments not in _RECTANGLE_SEGMENTS


def _is_graph(path: PathObject) -> bool:
    """Tell whether a curve is a drawing by itself: a chart may have only a frame and one line."""
    left, bottom, right, top = path.box
    return path.segments >= _GRAPH_SEGMENTS and right - left >= _MIN_SIDES_PT[0] and top - bottom >= _RULE_PT


def _has_bars(cluster: Sequence[PathObject], *, words: Sequence[Box]) -> bool:
    """Tell the bars of a chart from the cells of a table: most have no words in them, and their sizes differ."""
    areas = [path.box for path in cluster if not _is_rule(path.box)]
    if len(areas) * len(words) > _MOST_PAIRS:
        return False
    bars = [box for box in areas if not any(_holds(box, word) for word in words)]
    sizes = [{round(box[far] - box[near]) for box in bars} for near, far in ((0, 2), (1, 3))]
    return len(bars) >= max(_MIN_FREE, len(areas) / 2) and max(map(len, sizes)) >= _MIN_FREE - 1


def _labelled(box: Box, *, words: Sequence[Box], page: Box) -> Figure:
    """Extend a figure by the labels at its edges and by a margin."""
    near = _grown(box, _LABEL_PT)
    labels = [word for word in words if _common(word, near) and word[2] - word[0] < (box[2] - box[0]) / 2]
    whole = _grown(_around([box, *labels]), _RULE_PT)
    return Figure(_common(whole, page) or box, has_words=any(_common(word, box) for word in words))


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """Join boxes that overlap, because they are parts of one drawing."""
    joined: list[Box] = []
    for box in boxes:
        apart = [other for other in joined if not _common(other, box)]
        joined = [*apart, _around([box, *(other for other in joined if _common(other, box))])]
    return joined


def _is_rule(box: Box) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) < _RULE_PT


def _holds(box: Box, word: Box) -> bool:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _covered(box: Box, others: Iterable[Box]) -> float:
    """Return the share of a box that others cover, counting their overlaps twice."""
    return sum(_area(common) for other in others if (common := _common(box, other))) / _area(box)


def _common(one: Box, other: Box) -> Box | None:
    left, bottom = max(one[0], other[0]), max(one[1], other[1])
    right, top = min(one[2], other[2]), min(one[3], other[3])
    return (left, bottom, right, top) if left <= right and bottom <= top else None


def _around(boxes: Sequence[Box]) -> Box:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])

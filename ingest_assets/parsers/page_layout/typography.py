"""Measure on a few pages how the document is typeset: body size, title sizes, running headers.

A running header stands at the edge of many pages in the same size, or shares its line with the page number. The title
of a document may have the same words as its running header, but it is larger.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest_assets.parsers.page_layout.rows import Flow, Row
from ingest_assets.parsers.page_layout.words import Words, words_of
from ingest_assets.records import ElementType

LARGER = 1.1  # times the body size: headings are at least 1.2 times as large, other body fonts at most 1.08 times
MAX_LEVEL = 6
MAX_HEADING_CHARS = 200  # three lines of a title; longer text is a paragraph in large type
WORD = re.compile(r"[^\W\d_ʰ-˿]{2}")  # labels of points and angles in a figure have one letter, perhaps with an accent
NUMBER = re.compile(
    r"(?:(?:chapter|section|part|kapitel|teil)\s+|§+\s*)?(\d{1,4}(?:\.\d{1,4}){0,5})\.?\s+\S", re.IGNORECASE
)
_EDGE_ROWS = 6  # three lines in two columns: title, author, page number
_EDGE_GAP = 1.6  # ems between baselines; rows of text have 1.0 to 1.5
_MIN_REPEATS = 3
_MIN_CELL_LETTERS = 8  # of one cell of an edge row: two words; shorter cells occur anywhere
_MIN_CAPITALS = 6
_NARROW = 0.85  # of the column: a centred line that is wider looks like a full line

_PAGE_NUMBER = re.compile(
    r"[\[(–—-]?\s*(?:(?:page|seite|p\.|s\.)\s*)?(?:\d{1,4}(?:-\d{1,4})?|[ivxlc]{1,7})(?:\s*(?:/|of|von)\s*\d{1,4})?\s*[\])–—-]?",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"\d+")

Edge = tuple[Row, ElementType]
"""A row at the edge of a page: header or footer."""

EdgeText = tuple[str, float]
"""The text of such a row with "#" for its numbers, and its size in points."""


class Typography(NamedTuple):
    """How a document is typeset."""

    body: float
    """Font size of most of its text, in points; 0 if it has no text."""
    titles: tuple[float, ...] = ()
    """Font sizes of titles, the largest first."""
    running: frozenset[EdgeText] = frozenset()
    """Rows that are repeated at the edges of pages."""
    words: Words = frozenset()
    """Hyphenated words of the sample; when a line breaks at their hyphen, they keep it."""
    has_large_chapters: bool = False
    """Headings numbered 1, 2, 3 have the size of a title, so that 1.1 is the first level below the title sizes."""
    has_capitals: bool = False
    """Centred lines of capitals are a level between the titles and the bold headings."""


def survey(pages: Iterable[list[Flow]]) -> Typography:
    """Measure the text of some pages and the rows that they share at their edges."""
    kept = list(pages)
    pages_with: Counter[EdgeText] = Counter()
    texts: dict[EdgeText, set[str]] = defaultdict(set)
    words: set[str] = set()
    for flows in kept:
        rows = [row for flow in flows for row in flow]
        words.update(word for word in words_of(" ".join(row.text for row in rows if "-" in row.text)) if "-" in word)
        here = {(_edge_text(text, row), text) for row, _ in edge_rows(rows) for text in _edge_cells(row)}
        pages_with.update({masked for masked, _ in here})
        for masked, text in here:
            texts[masked].add(text)
    usual = _commonest(row for flows in kept for flow in flows for row in flow)
    running = frozenset(
        edge
        for edge, count in pages_with.items()
        # A row that counts up and is larger than the text is a heading at the top of each page: Question 1, Question 2.
        if count >= _MIN_REPEATS and (len(texts[edge]) == 1 or edge[1] <= LARGER * usual)
    )
    content = [(row, flow) for flows in kept for row, flow in _content(flows, running)]
    if not content:
        return Typography(0.0, running=running)
    body = _commonest(row for row, _ in content)
    large = [row for row, _ in content if row.size > LARGER * body and _may_be_title(row)]
    titles = sorted({_rounded(row.size) for row in large}, reverse=True)
    return Typography(
        body,
        tuple(titles[:MAX_LEVEL]),
        running,
        frozenset(words),
        any((number := NUMBER.match(row.text)) and "." not in number[1] for row in large),
        any(is_capitals(row.text) and _is_centred(row, flow) for row, flow in content),
    )


def _commonest(rows: Iterable[Row]) -> float:
    """Return the font size of most of the text, in points; 0 if there is no text."""
    sizes: Counter[float] = Counter()
    for row in rows:
        sizes[_rounded(row.size)] += len(row.text)
    return min(sizes, key=lambda size: (-sizes[size], size), default=0.0)


def is_capitals(text: str) -> bool:
    """Tell whether a text is all capitals and longer than an abbreviation."""
    return text.isupper() and len(_LETTERS.findall(text)) >= _MIN_CAPITALS


def _content(flows: Sequence[Flow], running: frozenset[EdgeText]) -> Iterator[tuple[Row, Flow]]:
    repeated = _repeated([row for row, _ in edge_rows([row for flow in flows for row in flow])], running)
    for flow in flows:
        yield from ((row, flow) for row in flow if not any(row is other for other in repeated))


def _may_be_title(row: Row) -> bool:
    return len(row.text) <= MAX_HEADING_CHARS and bool(WORD.search(row.text)) and len(row.cells) <= 2


def _is_centred(row: Row, flow: Flow) -> bool:
    left, right = min(other.x0 for other in flow), max(other.x1 for other in flow)
    return are_centred([row], (left, right))


def are_centred(rows: Sequence[Row], edges: tuple[float, float]) -> bool:
    """Tell whether all rows are centred in their column and narrower than it."""
    are_in_middle = all(abs(row.x0 - edges[0] - (edges[1] - row.x1)) < row.size for row in rows)
    return are_in_middle and rows[-1].x1 - rows[-1].x0 < _NARROW * (edges[1] - edges[0])


def edge_rows(rows: list[Row]) -> list[Edge]:
    """Return the rows that a gap separates at the top of a page, as headers, and at its bottom, as footers."""
    upright = sorted((row for row in rows if row.turn == 0 and not row.table), key=lambda row: -row.y0)
    top = _apart(upright)
    bottom = _apart(upright[len(top) :][::-1])
    return [(row, ElementType.HEADER) for row in top] + [(row, ElementType.FOOTER) for row in bottom[::-1]]


def _apart(rows: list[Row]) -> list[Row]:
    """Return the first rows up to a gap, or none if no gap is near."""
    for count, (row, after) in enumerate(pairwise(rows[: _EDGE_ROWS + 1]), 1):
        if abs(row.y0 - after.y0) > _EDGE_GAP * max(row.size, after.size):
            return rows[:count]
    return []


def running_rows(flows: Sequence[Flow], typography: Typography) -> list[Edge]:
    """Return the rows of a page that are running headers, footers and page numbers."""
    rows = [row for flow in flows for row in flow]
    edges = edge_rows(rows)
    if not edges or len(rows) <= len(edges):
        return []  # too little text to distinguish the edge of the page from its middle
    found = _repeated([row for row, _ in edges], typography.running)
    # The page number is the outermost row, apart from repeated rows.
    left = [(row, kind) for row, kind in edges if not any(row is other for other in found)]
    for outermost in (max, min) if left else ():
        row, kind = outermost(left, key=lambda edge: edge[0].y0 + edge[0].y1)
        line = _on_line(row, [other for other, _ in left])
        if _is_numbered(line, kind):
            found.extend(line)
    return [(row, kind) for row, kind in edges if any(row is other for other in found)]


def _repeated(edges: list[Row], running: frozenset[EdgeText]) -> list[Row]:
    """Return the edge rows of a page that are repeated on other pages, with all rows on the same lines."""
    repeated = [row for row in edges if not running.isdisjoint(_edge_texts(row))]
    return [row for row in edges if any(_on_line(other, [row]) for other in repeated)]


def _on_line(row: Row, rows: Sequence[Row]) -> list[Row]:
    """Return the rows on the same line as a row, including itself: columns may divide a running header."""
    return [other for other in rows if abs(other.y0 - row.y0) < row.size / 2]


def _edge_texts(row: Row) -> list[EdgeText]:
    """Return the texts of a row that may be repeated on other pages, with "#" for numbers."""
    return [_edge_text(text, row) for text in _edge_cells(row)]


def _edge_cells(row: Row) -> list[str]:
    """Return the texts of a row that may be repeated on other pages: all of it, and each cell with some words."""
    cells = [cell.text for cell in row.cells if len(_LETTERS.findall(cell.text)) >= _MIN_CELL_LETTERS]
    return [row.text, *(cells if len(row.cells) > 1 else ())]


def _edge_text(text: str, row: Row) -> EdgeText:
    return _DIGITS.sub("#", text), _rounded(row.size)


def _is_numbered(line: Sequence[Row], kind: ElementType) -> bool:
    """Tell whether a line is a page number, or a running title with the page number at one end."""
    cells = sorted((cell.x0, cell.text) for row in line for cell in row.cells)
    ends = [text for _, text in (cells[0], cells[-1])]
    return (len(cells) == 1 or kind is ElementType.HEADER) and any(map(_PAGE_NUMBER.fullmatch, ends))


def _rounded(size: float) -> float:
    return round(2 * size) / 2

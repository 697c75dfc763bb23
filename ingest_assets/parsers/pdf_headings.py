"""What a sample of pages looks like in, which rows are titles or running lines out.

A PDF does not say what a heading is. It is what is set larger than most of the document's text, or bold on a line of
its own; a running header is what stands at the same edge of many pages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest_assets.parsers.pdf_layout import Flow, Row
from ingest_assets.parsers.pdf_paragraphs import Paragraph
from ingest_assets.parsers.pdf_text import Words, words_of
from ingest_assets.records import ElementType

_LARGER = 1.1  # times the body size: headings are set 1.2 times and more, other body fonts up to 1.08
_MAX_HEADING_CHARS = 200  # three lines of a title; longer is text in large type
_MAX_BOLD_WORDS = 20  # two lines; longer is a sentence that matters
_MAX_BOLD_ROWS = 3
_MAX_ITALIC_WORDS = 8  # italics also set quotations, captions and terms apart
_MAX_LEVEL = 6
_EDGE_ROWS = 6  # three lines in two columns: title, author, page number
_EDGE_GAP = 1.6  # ems between baselines; rows of text stand at 1.0 to 1.5
_MIN_REPEATS = 3

_NUMBER = re.compile(r"(?:(?:chapter|section|part|kapitel|teil)\s+)?(\d{1,3}(?:\.\d{1,3}){0,5})\.?\s+\S", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"[\[(–—-]?\s*(?:(?:page|seite|p\.|s\.)\s*)?(?:\d{1,4}(?:-\d{1,4})?|[ivxlc]{1,7})(?:\s*(?:/|of|von)\s*\d{1,4})?\s*[\])–—-]?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")

Edge = tuple[Row, ElementType]
"""A row at the edge of a page: header or footer."""


class Typography(NamedTuple):
    """How a document is set."""

    body: float
    """Font size of most of its text, in points; 0 where there is none."""
    titles: tuple[float, ...] = ()
    """Font sizes of titles, the largest first."""
    running: frozenset[str] = frozenset()
    """Rows, digits masked, that are repeated at the edges of pages."""
    words: Words = frozenset()
    """Hyphenated words of the sample: broken at their hyphen, they keep it."""


def survey(pages: Iterable[list[Flow]]) -> Typography:
    """Measure the sizes of the text of some pages and the rows that they share at their edges."""
    sizes: Counter[float] = Counter()
    edges: Counter[str] = Counter()
    words: set[str] = set()
    for flows in pages:
        rows = [row for flow in flows for row in flow]
        for row in rows:
            sizes[_rounded(row.size)] += len(row.text)
        words.update(word for word in words_of(" ".join(row.text for row in rows if "-" in row.text)) if "-" in word)
        edges.update({_masked(row.text) for row, _ in edge_rows(rows)})
    if not sizes:
        return Typography(0.0)
    body = min(sizes, key=lambda size: (-sizes[size], size))
    titles = sorted((size for size in sizes if size > _LARGER * body), reverse=True)
    running = frozenset(row for row, count in edges.items() if count >= _MIN_REPEATS)
    return Typography(body, tuple(titles[:_MAX_LEVEL]), running, frozenset(words))


def edge_rows(rows: list[Row]) -> list[Edge]:
    """Return what stands apart at the top of a page, as headers, and at its bottom, as footers."""
    upright = sorted((row for row in rows if row.turn == 0), key=lambda row: -row.y0)
    top = _apart(upright)
    bottom = _apart(upright[len(top) :][::-1])
    return [(row, ElementType.HEADER) for row in top] + [(row, ElementType.FOOTER) for row in bottom[::-1]]


def _apart(rows: list[Row]) -> list[Row]:
    """Return the first rows up to a gap, or none where there is no gap soon."""
    for count, (row, after) in enumerate(pairwise(rows[: _EDGE_ROWS + 1]), 1):
        if abs(row.y0 - after.y0) > _EDGE_GAP * max(row.size, after.size):
            return rows[:count]
    return []


def running_rows(flows: Sequence[Flow], typography: Typography) -> list[Edge]:
    """Return the rows of a page that are running headers, footers and page numbers."""
    rows = [row for flow in flows for row in flow]
    edges = edge_rows(rows)
    if not edges or len(rows) <= len(edges):
        return []  # too little text to tell its edge from its middle
    highest, lowest = max(row.y1 for row, _ in edges), min(row.y0 for row, _ in edges)
    return [
        (row, kind)
        for row, kind in edges
        if _masked(row.text) in typography.running
        or ((row.y1 == highest or row.y0 == lowest) and _PAGE_NUMBER.fullmatch(row.text))
    ]


def heading_level(paragraph: Paragraph, typography: Typography) -> int:
    """Return the level of a title, 1 the outermost, or 0 for what is none."""
    text, body = paragraph.text, typography.body
    if paragraph.is_tabular or len(text) > _MAX_HEADING_CHARS or not any(char.isalpha() for char in text) or not body:
        return 0
    if paragraph.size > _LARGER * body:
        return min(1 + sum(size > paragraph.size + 0.5 for size in typography.titles), _MAX_LEVEL)
    if paragraph.size < 0.9 * body or paragraph.rows > _MAX_BOLD_ROWS or text.endswith((".", ",", ";")):
        return 0
    number = _NUMBER.match(text)
    if paragraph.is_item and not number:
        return 0
    words = len(text.split())
    is_subtitle = paragraph.italic and paragraph.rows == 1 and words <= _MAX_ITALIC_WORDS and text[0].isupper()
    if not is_subtitle and not (paragraph.bold and words <= _MAX_BOLD_WORDS):
        return 0
    depth = number.group(1).count(".") if number else 0
    return min(len(typography.titles) + 1 + depth + (not paragraph.bold), _MAX_LEVEL)


def _rounded(size: float) -> float:
    return round(2 * size) / 2


def _masked(text: str) -> str:
    return _DIGITS.sub("#", text)

"""Find the footnotes among the paragraphs of a page.

A footnote is smaller than the body text, begins with its mark and has no body text below it in its column. Small text
below a footnote continues it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest_assets.parsers.page_layout.paragraphs import Paragraph

_SMALLER = 0.93  # times the body size: notes of 9 points below text of 10 points are 0.9
_MARK = re.compile(
    r"\d{1,2}(?:[.)\]]\s*(?=[^\d\s.,:%/])|\s*(?=[^\W\d_]|[„“\"「(]))|[*∗†‡§¶]{1,3}\)?\s?(?=\w)|[¹²³⁰⁴-⁹]+"
)


def footnotes(paragraphs: Sequence[Paragraph], *, body: float) -> set[int]:
    """Return the places of the footnotes among the paragraphs of a page."""
    found: set[int] = set()
    for place, paragraph in enumerate(paragraphs):
        if paragraph.turn or not 0 < paragraph.size < _SMALLER * body or paragraph.is_tabular:
            continue
        goes_on = place - 1 in found and paragraph.size <= 1.05 * paragraphs[place - 1].size
        if (goes_on or _MARK.match(paragraph.text)) and not _is_above_text(paragraph, paragraphs, body):
            found.add(place)
    return found


def _is_above_text(paragraph: Paragraph, paragraphs: Sequence[Paragraph], body: float) -> bool:
    """Tell whether body text is below a paragraph in its column."""
    return any(
        other.y1 <= paragraph.y0 + paragraph.size / 2
        and other.size >= _SMALLER * body
        and min(other.x1, paragraph.x1) > max(other.x0, paragraph.x0)
        for other in paragraphs
        if other.turn == paragraph.turn
    )

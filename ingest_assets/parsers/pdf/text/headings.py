"""Decide whether a paragraph is a heading, and of which level.

A PDF does not mark headings, unless it has an outline. A heading is text that is larger than most of the document's
text, or bold, italic or in capitals on a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ingest_assets.parsers.page_layout.paragraphs import Paragraph
from ingest_assets.parsers.page_layout.typography import (
    LARGER,
    MAX_HEADING_CHARS,
    MAX_LEVEL,
    NUMBER,
    WORD,
    Typography,
    is_capitals,
)
from ingest_assets.parsers.pdf.outline import outline_level

_SLIGHTLY_LARGER = 1.05  # times the body size: enough for a numbered line of its own
_SMALL_CAPITALS = 0.7  # times the body size: small capitals are at least so large
_MAX_BOLD_WORDS = 20  # two lines; a longer bold text is an emphasised sentence
_MAX_BOLD_ROWS = 3
_MAX_ITALIC_WORDS = 8  # longer italics are quotations or captions
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)|table|listing|algorithm|abb(?:ildung|\.)|tab(?:elle|\.)|tableau|figura|tabla)"
    r"\s*[\dA-Z]{1,3}(?:[.\-]\d+)*\s*[.:]",
    re.IGNORECASE,
)


def heading_level(paragraph: Paragraph, typography: Typography, on_page: Mapping[str, int]) -> int:
    """Return the level of a heading, 1 for the outermost, or 0 for other text; `on_page` is the page's outline."""
    text, body = paragraph.text, typography.body
    is_long = len(text) > MAX_HEADING_CHARS
    if paragraph.is_tabular or is_long or not WORD.search(text) or not body or _CAPTION.match(text):
        return 0
    if level := outline_level(text, on_page):
        return level
    if paragraph.size > LARGER * body:
        return min(1 + sum(size > paragraph.size + 0.5 for size in typography.titles), MAX_LEVEL)
    if paragraph.is_centred and is_capitals(text) and paragraph.size >= _SMALL_CAPITALS * body:
        return min(len(typography.titles) + 1, MAX_LEVEL)
    return _level_in_body_size(paragraph, typography)


def _level_in_body_size(paragraph: Paragraph, typography: Typography) -> int:
    """Return the level of a heading in body size (bold, italic or numbered, on lines of its own), or 0."""
    text, body, number = paragraph.text, typography.body, NUMBER.match(paragraph.text)
    if paragraph.size < 0.9 * body or paragraph.rows > _MAX_BOLD_ROWS or text.endswith((",", ";")):
        return 0
    is_slightly_larger = paragraph.size > _SLIGHTLY_LARGER * body and (paragraph.is_item or bool(number))
    is_section = number is not None and (text.startswith("§") or "." in number[1])
    if text.endswith(".") and not (paragraph.bold and is_section):
        return 0
    if paragraph.is_item and not number and not is_slightly_larger:
        return 0
    words = len(text.split())
    is_subtitle = paragraph.italic and paragraph.rows == 1 and words <= _MAX_ITALIC_WORDS and text[0].isupper()
    if not is_subtitle and not ((paragraph.bold or is_slightly_larger) and words <= _MAX_BOLD_WORDS):
        return 0
    depth = number[1].count(".") if number and not text.startswith("§") else 0
    if typography.has_large_chapters:
        depth = max(depth - 1, 0)
    is_quiet = not paragraph.bold and not is_slightly_larger
    return min(len(typography.titles) + 1 + depth + is_quiet + typography.has_capitals, MAX_LEVEL)

"""Turn a document's parts and captions into one stream of words, each with the passage it belongs to.

A document's text is the text of its elements in reading order, joined by blank lines; captions stand where their
pictures stood. The text is never in memory as a whole: `WordWindow` holds the words that the next cut may need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ingest_assets.records import Caption, Element, ElementType, Part
from ingest_assets.stages.chunking.boundaries import Strength, count_words, spans

SEPARATOR = "\n\n"
_LEFT_OUT = (ElementType.HEADER, ElementType.FOOTER)
_BY_LINE = (ElementType.TABLE, ElementType.CODE)
_HEADER_SHARE = 4  # a header longer than a quarter of a chunk is not repeated: it would leave little room for rows
_TABLE_HEADER = re.compile(r"[^\n]*\n(?:[|\s:-]*-[|\s:-]*(?:\n|$))?")


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One element's text and where it stands in the document."""

    text: str
    start: int
    """Characters of the document before it."""
    page_number: int | None
    section: tuple[str, ...]
    """Titles above it; for a title, its own text is the last."""
    first: Strength
    """How good a place for a cut its beginning is."""
    by_line: bool = False
    is_table: bool = False
    header: str = ""
    """First rows of a table that is too long for one chunk; they are repeated in each chunk."""
    header_words: int = 0
    rows_start: int = 0
    """Where a table's rows begin after its header, in characters of `text`."""
    whole_words: int = 0
    """Number of words of a table that fits into one chunk and must not be cut; 0 for everything else."""


class Word(NamedTuple):
    """A word of the document."""

    start: int
    end: int
    strength: Strength
    opens: bool
    """The word begins a sentence, a row or a larger unit."""
    passage: Passage


def passages(parts: Iterable[Part], *, captions: Mapping[str, Caption], max_words: int) -> Iterator[Passage]:
    """Yield the passages of a document in reading order."""
    start = 0
    before: Element | None = None
    for element in (element for part in parts for element in part.elements):
        text = _text(element, captions)
        if element.type in _LEFT_OUT or not text.strip():
            continue
        yield _passage(element, text, start=start, first=_first_strength(before, element), max_words=max_words)
        start += len(text) + len(SEPARATOR)
        before = element


def _text(element: Element, captions: Mapping[str, Caption]) -> str:
    caption = captions.get(element.picture) if element.picture else None
    if caption is None:
        return element.text
    return "\n".join(text for text in (element.text, caption.caption, caption.text) if text.strip())


def _first_strength(before: Element | None, element: Element) -> Strength:
    if before is None:
        return Strength.SECTION
    if before.type is ElementType.TITLE:
        return Strength.HEADING
    if element.type is ElementType.TITLE or element.section != before.section:
        return Strength.SECTION
    return Strength.PARAGRAPH


def _passage(element: Element, text: str, *, start: int, first: Strength, max_words: int) -> Passage:
    section = (*element.section, text.strip()) if element.type is ElementType.TITLE else element.section
    plain = Passage(text, start, element.page_number, section, first, by_line=element.type in _BY_LINE)
    if element.type is not ElementType.TABLE:
        return plain
    # Stop counting above the limit: a table may have a million words.
    words = sum(1 for _ in islice(spans(text, first=first), max_words + 1))
    match = _TABLE_HEADER.match(text)
    rows_start = match.end() if match else 0
    header_words = count_words(text[:rows_start])
    repeated = words > max_words and header_words * _HEADER_SHARE <= max_words
    return Passage(
        text,
        start,
        element.page_number,
        section,
        first,
        by_line=True,
        is_table=True,
        header=text[:rows_start] if repeated else "",
        header_words=header_words if repeated else 0,
        rows_start=rows_start,
        whole_words=words if words <= max_words else 0,
    )


def words(passage: Passage) -> Iterator[Word]:
    """Yield the words of a passage, placed in the document."""
    for start, end, strength in spans(passage.text, first=passage.first, by_line=passage.by_line):
        inside = start > 0 and (passage.whole_words > 0 or start <= passage.rows_start)
        yield Word(
            start=passage.start + start,
            end=passage.start + end,
            strength=Strength.KEEP if passage.is_table and inside else strength,
            opens=strength > Strength.WORD and (not passage.is_table or start == 0 or start >= passage.rows_start),
            passage=passage,
        )


class WordWindow:
    """The words around the next cut; more are read as needed. Positions count from the first word held."""

    def __init__(self, read: Iterable[Passage]) -> None:
        self.words: list[Word] = []
        self._rest = (word for passage in read for word in words(passage))

    def fill(self, count: int) -> int:
        """Read on until this many words are held, or the document ends; return how many are held."""
        self.words.extend(islice(self._rest, max(0, count - len(self.words))))
        return len(self.words)

    def forget(self, count: int) -> None:
        """Drop words from the beginning."""
        del self.words[:count]

    def text(self, first: int, end: int) -> str:
        """Return the document's characters from the first word to the end of the last."""
        start, stop = self.words[first].start, self.words[end - 1].end
        return SEPARATOR.join(
            passage.text[max(0, start - passage.start) : stop - passage.start] for passage in self._passages(first, end)
        )

    def pages(self, first: int, end: int) -> tuple[int, ...]:
        """Return the pages that words stand on, ascending."""
        return tuple(sorted({p.page_number for p in self._passages(first, end) if p.page_number is not None}))

    def section(self, first: int, end: int) -> tuple[str, ...]:
        """Return the section of most of the words; of equal ones, the first."""
        counts: dict[tuple[str, ...], int] = {}
        for word in self.words[first:end]:
            counts[word.passage.section] = counts.get(word.passage.section, 0) + 1
        return max(counts, key=lambda section: counts[section])

    def header_above(self, position: int) -> tuple[str, int]:
        """Return the table header to repeat before a word that stands in the rows, and its number of words."""
        word = self.words[position]
        among_rows = word.start - word.passage.start >= word.passage.rows_start > 0
        return (word.passage.header, word.passage.header_words) if among_rows else ("", 0)

    def _passages(self, first: int, end: int) -> list[Passage]:
        return list(dict.fromkeys(word.passage for word in self.words[first:end]))

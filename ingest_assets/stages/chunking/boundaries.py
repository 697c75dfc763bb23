"""Split text into words, and rate the boundary before each word as a place for a cut.

Words are counted by one stated rule, so that "500 words" bounds the length of a text in any script. Sentences are
found by a small rule of this project: it needs no model or download, and it does not change with a library's release
(chunk ids depend on it). When it errs, a chunk begins half a sentence early or late, which the overlap covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple


class Strength(IntEnum):
    """How good a place for a cut is; a chunk is cut at the strongest place within reach."""

    KEEP = 0
    """Inside a table that fits into one chunk, or between a table's header and its first row."""
    WORD = 1
    HEADING = 2
    """Between a title and the text under it."""
    SENTENCE = 3
    """A sentence, a row of a table, a line of code."""
    PARAGRAPH = 4
    SECTION = 5


class Span(NamedTuple):
    """A word of a text."""

    start: int
    end: int
    strength: Strength


# Scripts written without spaces. A Chinese or Japanese character means about as much as half an English word, but is at
# least one word piece of the model; Thai, Lao, Khmer and Burmese words have about four characters.
_IDEOGRAPH = (
    "\u3001-\u303f\uff01-\uff0f\uff1a-\uff20"  # their punctuation
    "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
# 40: longer than the words of any language that has spaces; without it a megabyte of base64 would be one word.
_WORD = re.compile(rf"[{_IDEOGRAPH}]|[{_UNSPACED}]{{1,4}}|[^\s{_IDEOGRAPH}{_UNSPACED}]{{1,40}}")

_CLOSERS = "\"'”’»)\\]}」』）】》"
# In Latin, Greek and Cyrillic a space must follow the mark; in Chinese, Arabic, Urdu and Hindi no space is needed.
_SENTENCE_END = re.compile(
    rf"(?P<mark>[.!?…]+)[{_CLOSERS}]*\s+|[。！？｡؟۔।॥]+[{_CLOSERS}]*\s*|(?P<blank>\n[^\S\n]*\n\s*)"
)
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_LINE_END = re.compile(r"\n\s*")
_OPENERS = "\"'“‘«([{¿¡„‚—–- "
_LAST_WORD = re.compile(r"[^\W\d_](?:[\w.]*\w)?$")
_ABBREVIATIONS = re.compile(
    r"mrs?|ms|[djs]r|prof|st|mme|mlle|hr|fr|sra|rev|hon|gen|col|capt|lt|sgt|gov|sen|rep|pres|inc|ltd|co|corp|bros|dept|"
    r"univ|est|figs?|eqs?|refs?|sec|ch|chap|vols?|nos?|nr|pp?|pg|eds?|al|cf|ca|vs|viz|approx|resp|incl|excl|etc|"
    r"e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|z\.b|d\.h|u\.a|o\.ä|bzw|usw|abs|art|bd|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)


def count_words(text: str) -> int:
    """Count the words of a text.

    A word is a run of up to 40 characters without a space; longer runs count once per 40. Of scripts that are
    written without spaces, each ideograph or kana counts as one, and so do four characters of Thai, Lao, Khmer or
    Burmese. It is never less than `len(text.split())`.
    """
    return sum(1 for _ in _WORD.finditer(text))


def spans(text: str, *, first: Strength, by_line: bool = False) -> Iterator[Span]:
    """Yield the words of a text in order; `first` is the strength before the first word.

    With `by_line`, the ends of lines count instead of the ends of sentences (tables, code).
    """
    ends = _line_ends(text) if by_line else _sentence_ends(text)
    position, at_position = next(ends, (len(text), Strength.WORD))
    strength = first
    for match in _WORD.finditer(text):
        start, end = match.span()
        while position <= start:
            strength = max(strength, at_position)
            position, at_position = next(ends, (len(text), Strength.WORD))
        yield Span(start, end, strength)
        strength = Strength.WORD


def _line_ends(text: str) -> Iterator[tuple[int, Strength]]:
    for match in _LINE_END.finditer(text):
        yield match.end(), Strength.SENTENCE


def _sentence_ends(text: str) -> Iterator[tuple[int, Strength]]:
    """Yield where sentences and, inside one element, paragraphs end."""
    for match in _SENTENCE_END.finditer(text):
        if match["blank"]:
            yield match.end(), Strength.PARAGRAPH
        elif not match["mark"] or _ends_sentence(text, match["mark"], match.start(), match.end()):
            yield match.end(), Strength.PARAGRAPH if _BLANK_LINE.search(match[0]) else Strength.SENTENCE


def _ends_sentence(text: str, mark: str, start: int, end: int) -> bool:
    """Tell whether a mark ends a sentence or an abbreviation, by the word before it and the letter after it."""
    behind = text[end : end + 8].lstrip(_OPENERS)
    if behind and behind[0].islower():
        return False
    if mark != ".":
        return True
    before = _LAST_WORD.search(text, max(0, start - 24), start)
    if before is None:
        return True
    word = before[0]
    return not _ABBREVIATIONS.fullmatch(word) and not (len(word) == 1 and word.isupper())

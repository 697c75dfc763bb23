"""Read plain text as paragraphs, with some tens of kilobytes in memory at a time.

Blank lines separate paragraphs. Inside a paragraph, lines that an editor wrapped at a margin are joined; line breaks of
the author (verse, addresses, tables, code) are kept. Only certain titles are recognised: a chapter heading in common
words ("Chapter 3"), or an underlined line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.records import ElementType, Part

VERSION = "3"
PART = "block of text"

# Longer than any line that an editor wraps at a margin: such a line is a paragraph of its own.
_LONG_LINE = 200
# The longest line held in memory; a longer line is split.
_LINE_CHARS = 20_000

_ENDS = re.compile(r"\r\n?|\n|\x0b|\x0c|\x85|\u2028|\u2029")
ROW_ENDS = re.compile(r"\r\n?|\n")
"""Ends of the rows of a table; other line breaks may occur inside a cell."""
_ITEM = re.compile(r"\s*(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
# The beginning of a line of a log (date, time, address, stack trace) or of a quotation in a mail.
_RECORD = re.compile(
    r"\s*(?:>|\[?\d{4}-\d\d-\d\d[ T\]]|(?:\w{3} +\d\d? |\[)?\d\d:\d\d:\d\d|(?:\d{1,3}\.){3}\d{1,3} |at [\w.$]+\()"
)
_UNDERLINE = re.compile(r"(={3,}|-{3,})\s*$")
_CHAPTER = re.compile(
    r"(?:(?P<outer>book|part|volume|act|teil|buch|partie|livre|tome|parte|libro|часть|том|книга)"
    r"|(?P<inner>chapter|scene|appendix|kapitel|anhang|chapitre|capítulo|capitolo|глава))"
    r"\s+(?:\d{1,3}|[ivxlc]{1,8}|[a-z]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty)\b[.:]?(?P<name>[^.!?;]{0,60})$",
    re.IGNORECASE,
)


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the text in parts of some 32,000 characters that end with a paragraph.

    Raises:
        BadInput: empty, or binary data.
    """
    builder = PartBuilder(limits=limits, start=start)
    chunks = encoding.decode(path, encoding.detect(path))
    yield from add(chunks, builder=builder)
    yield from builder.rest()


def add(chunks: Iterable[str], *, builder: PartBuilder) -> Iterator[Part]:
    """Add the paragraphs of a text to a builder and yield each full part; the rest stays in the builder."""
    for paragraph in paragraphs(lines(chunks)):
        _add(builder, paragraph)
        if builder.is_full:
            yield from builder.flush()


def lines(chunks: Iterable[str], *, ends: re.Pattern[str] = _ENDS) -> Iterator[str]:
    """Yield the lines without their line ends; a line of more than 20,000 characters is yielded in pieces."""
    rest = ""
    held_cr = False
    for chunk in chunks:
        if held_cr:
            chunk = chunk.removeprefix("\n")
        held_cr = chunk.endswith("\r")
        found = ends.split(rest + chunk)
        rest = found.pop()
        yield from found
        while len(rest) > _LINE_CHARS:
            cut = (
                max(rest.rfind(" ", _LINE_CHARS // 2, _LINE_CHARS), rest.rfind("。", _LINE_CHARS // 2, _LINE_CHARS)) + 1
            )
            yield rest[: cut or _LINE_CHARS]
            rest = rest[cut or _LINE_CHARS :]
    yield rest


def paragraphs(source: Iterator[str]) -> Iterator[list[str]]:
    """Yield the lines of each paragraph.

    Blank lines separate paragraphs; a list item or a long line begins one, an underlined title ends one.
    """
    block: list[str] = []
    size = 0
    for line in source:
        line = line.rstrip()
        starts = _ITEM.match(line) or len(line) > _LONG_LINE
        if block and (not line or starts or size > _LINE_CHARS or len(block[-1]) > _LONG_LINE):
            yield block
            block, size = [], 0
        if line:
            block.append(line)
            size += len(line)
        if len(block) == 2 and _UNDERLINE.match(line) and len(line) >= len(block[0].strip()) // 2:
            yield block
            block, size = [], 0
    if block:
        yield block


def _add(builder: PartBuilder, block: list[str]) -> None:
    if len(block) == 2 and (mark := _UNDERLINE.match(block[1])) and len(block[0]) <= 100:
        builder.add(ElementType.TITLE, block[0], level=1 if mark[1][0] == "=" else 2)
    elif len(block) == 1 and (chapter := _CHAPTER.match(block[0].strip())) and _is_heading(chapter):
        builder.add(ElementType.TITLE, block[0], level=1 if chapter["outer"] else 2)
    elif item := _ITEM.match(block[0]):
        is_bullet = not item[0].strip(" \t(").rstrip(".)").isalnum()
        builder.add(ElementType.LIST_ITEM, join(block)[item.end() if is_bullet else 0 :])
    else:
        builder.add(ElementType.NARRATIVE_TEXT, join(block))


def _is_heading(chapter: re.Match[str]) -> bool:
    """Return whether nothing, a punctuation mark or a capital follows the number, unlike in "Part a of it"."""
    name = chapter["name"].strip()
    before = chapter.string[: chapter.start("name")].rstrip()
    return chapter.string[0].isupper() and (
        not name or before.endswith((".", ":")) or name[0] in ":-–—" or name[0].isupper()
    )


def join(block: list[str]) -> str:
    """Join wrapped lines with a space, and other lines with a line end.

    A line was wrapped if the next word would not have fit: the line and that word together are almost as long as the
    longest line of the block. Chinese and Japanese characters are joined without a space.
    """
    width = max(len(line) for line in block)
    text = block[0]
    for before, after in pairwise(block):
        word = after.split(maxsplit=1)[0]
        begins = after.startswith(("    ", "\t")) or _RECORD.match(after)
        wrapped = width > 40 and len(before) + 1 + len(word) > 0.85 * width and not begins
        if not wrapped:
            text += f"\n{after}"
        elif _is_han(before[-1]) and _is_han(after.lstrip()[0]):
            text += after.lstrip()
        else:
            text += f" {after.lstrip()}"
    return text


def _is_han(char: str) -> bool:
    return "\u3000" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"

"""Collect elements and pictures into numbered parts, for formats that have no pages.

A parser decides when a part is full. The builder does what all of them need: it numbers the parts, skips those before
the first one that is wanted, stores each distinct picture once, and cuts text that is too long for one element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.cleaning import clean
from ingest_assets.parsers.building.pipe_tables import pipe_tables
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import Element, ElementType, Part, Picture

# Longer than any real paragraph. Without the limit, a line of 5 MB would be one element.
MAX_ELEMENT_CHARS = 20_000
# Parts of running text have about this size: ten chunks, which a run with the smallest window can hold.
PART_CHARS = 32_000
# A longer "heading" is a paragraph in the style of a heading.
MAX_TITLE_CHARS = 400
# Tabs, runs of spaces and fixed spaces only position words on a page; in running text they become one space.
_BLANKS = re.compile(r"[ \t\xa0\u2000-\u200a\u202f\u3000]+")


class PartBuilder:
    """Collects the content of one part after the other."""

    def __init__(self, *, limits: Limits, start: int, depth: int = 0) -> None:
        self.number = 0
        self.depth = depth
        """Number of title levels above the document; it is added to the level of each title."""
        self._limits = limits
        self._start = start
        self._elements: list[Element] = []
        self._pictures: list[Picture] = []
        self._warnings: list[str] = []
        self._encoded: dict[str, str] = {}
        self._sent: set[str] = set()
        self._chars = 0

    @property
    def chars(self) -> int:
        """Characters in the part so far."""
        return self._chars

    @property
    def is_full(self) -> bool:
        """Whether the part holds as much running text as a part should."""
        return self._chars >= PART_CHARS

    @property
    def elements(self) -> int:
        """Elements in the part so far."""
        return len(self._elements)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the part so far."""
        return tuple(self._warnings)

    def add(self, type_: ElementType, text: str, *, page_number: int | None = None, level: int = 0) -> None:
        """Add text as one element, as several if it is too long, or as none if it is empty."""
        text = clean(text)
        level = level + self.depth if type_ is ElementType.TITLE else level
        if type_ is not ElementType.CODE:
            text = _BLANKS.sub(" ", text)
        for piece in split(text):
            self._append(Element(type=type_, text=piece, page_number=page_number, level=level))

    def add_table(self, rows: Iterable[Sequence[str]], *, page_number: int | None = None) -> None:
        """Add a table as Markdown; a long one becomes several elements with the same header."""
        for table in pipe_tables(rows):
            if len(table) > self._limits.max_part_chars:
                self.add(ElementType.NARRATIVE_TEXT, table, page_number=page_number)
            else:
                self._append(Element(type=ElementType.TABLE, text=table, page_number=page_number))

    def add_picture(self, data: bytes, *, page_number: int | None = None, name: str = "a picture") -> None:
        """Add an encoded picture at this place; if it cannot be read, add a warning instead."""
        key = sha256(data).hexdigest()
        if key not in self._encoded or self._encoded[key] not in self._sent:
            self._encode(data, key=key, page_number=page_number, name=name)
        if self._encoded[key]:
            self._append(Element(type=ElementType.IMAGE, text="", page_number=page_number, picture=self._encoded[key]))

    def take(self, part: Part, *, name: str) -> None:
        """Add the content of a part of an embedded document, without its page numbers; `name` begins its warnings."""
        for element in part.elements:
            level = element.level + self.depth if element.type is ElementType.TITLE else 0
            self._append(replace(element, page_number=None, level=level))
        for picture in part.pictures:
            if self.number + 1 >= self._start and picture.sha256 not in self._sent:
                self._sent.add(picture.sha256)
                self._pictures.append(replace(picture, page_number=None))
        for warning in part.warnings:
            self.warn(f"{name}: {warning}")

    def warn(self, message: str) -> None:
        """Add a warning about content that was not read, once per part."""
        if message not in self._warnings:
            self._warnings.append(message)

    def drop_lone_title(self) -> None:
        """Remove a title that is the only element of the part: the name of an empty sheet is not content."""
        if len(self._elements) == 1 and self._elements[0].type is ElementType.TITLE:
            self._chars -= len(self._elements.pop().text)

    def flush(self, *, page_number: int | None = None, problem: str = "", last_row: int = 0) -> Iterator[Part]:
        """Close the part, and yield it unless it is before the first part that is wanted."""
        self.number += 1
        if self.number >= self._start:
            elements, pictures = (self._elements, self._pictures) if not problem else ([], [])
            yield Part(
                number=self.number,
                elements=tuple(elements),
                pictures=tuple(pictures),
                page_number=page_number,
                problem=problem,
                warnings=tuple(self._warnings),
                last_row=last_row,
            )
        self._elements, self._pictures, self._warnings, self._chars = [], [], [], 0

    def rest(self, *, last_row: int = 0) -> Iterator[Part]:
        """Yield the last part of the document. Call it once, when everything has been added.

        A warning alone makes a part too, so that none is lost when the part before was exactly full. Nothing is
        yielded when nothing was added since the part before; a document without any content has one empty part.
        """
        if self._elements or self._warnings or self.number == 0:
            yield from self.flush(last_row=last_row)

    def _append(self, element: Element) -> None:
        self._elements.append(element)
        self._chars += len(element.text)

    def _encode(self, data: bytes, *, key: str, page_number: int | None, name: str) -> None:
        from ingest_assets.parsers.building.pictures import encode

        if key not in self._encoded and len(self._encoded) >= self._limits.max_pictures:
            self._encoded[key] = ""
        if self._encoded.get(key) == "":
            self.warn(f"{name} was left out: the file holds more than {self._limits.max_pictures:,} distinct pictures")
            return
        try:
            picture = encode(data, page_number=page_number, limits=self._limits)
        except BadInput as error:
            self._encoded.setdefault(key, "")
            self.warn(f"{name} was left out: {error}")
            return
        self._encoded[key] = picture.sha256
        if self.number + 1 >= self._start and picture.sha256 not in self._sent:
            self._sent.add(picture.sha256)
            self._pictures.append(picture)


def split(text: str) -> Iterator[str]:
    """Yield text in pieces of at most `MAX_ELEMENT_CHARS`, cut at a line end, a full stop or a space if possible."""
    start = 0
    while len(text) - start > MAX_ELEMENT_CHARS:
        half, end = start + MAX_ELEMENT_CHARS // 2, start + MAX_ELEMENT_CHARS
        cuts = [text.rfind(mark, half, end - len(mark)) + len(mark) for mark in ("\n", ". ", "。")]
        cut = max(cuts) if max(cuts) > half else text.rfind(" ", half, end) + 1
        piece = text[start : cut or end].strip()
        if piece:
            yield piece
        start = cut or end
    if rest := text[start:].strip():
        yield rest

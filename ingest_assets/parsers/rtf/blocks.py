"""Collect the text of an RTF file into paragraphs, tables, notes and headers, and add them to a part builder.

Notes, page headers and text boxes stand inside a paragraph in the file; they are added after that paragraph.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest_assets.parsers.building.part_builder import MAX_TITLE_CHARS, PartBuilder
from ingest_assets.parsers.rtf.header import RtfHeader
from ingest_assets.parsers.rtf.text import RtfText
from ingest_assets.records import ElementType

# A longer "paragraph" is added in pieces.
_MAX_PARAGRAPH_CHARS = 200_000
# A longer table is added in pieces: some files are one table to the end.
_MAX_ROWS = 200
# Notes inside notes; a file that opens a million of them and closes none is not a document.
_MAX_ASIDES = 50

ASIDE = {
    "footnote": ElementType.FOOTNOTE,
    **dict.fromkeys(("header", "headerl", "headerr", "headerf"), ElementType.HEADER),
    **dict.fromkeys(("footer", "footerl", "footerr", "footerf"), ElementType.FOOTER),
    **dict.fromkeys(("shptxt", "dptxbxtext"), ElementType.NARRATIVE_TEXT),
}


@dataclass(frozen=True, slots=True)
class ParagraphFormat:
    """Formatting of the current paragraph."""

    style: int = 0
    outline: int = -1
    in_table: bool = False
    is_item: bool = False


PLAIN_FORMAT = ParagraphFormat()
# Bullet characters before a tab; "o" is the ring of nested lists.
_BULLET = re.compile(r"\A\s*(?:o|[^\w\t]*)\t")


class RtfBlocks:
    """Collect text until a block is complete, then add it."""

    def __init__(self, builder: PartBuilder, *, header: RtfHeader) -> None:
        self.text = header.text
        self._builder = builder
        self._header = header
        self._outer: list[tuple[int, ElementType, RtfText]] = []
        """Texts interrupted by a note, header or text box, with the depth of its group and its type."""
        self._aside: list[tuple[ElementType, str]] = []
        self._pictures: list[bytes] = []
        self._page_headers: set[str] = set()
        self._is_marked = False
        self._cell: list[str] = []
        self._cells: list[str] = []
        self._rows: list[list[str]] = []

    @property
    def is_between(self) -> bool:
        """Whether no text is collected, so that a part may end here."""
        return not (self._outer or self._rows or self._cells or self._cell or self.text.chars)

    def mark_item(self) -> None:
        """Mark the paragraph as a list item: it has a bullet or a number."""
        self._is_marked = True

    def limit(self, paragraph: ParagraphFormat) -> None:
        """End the paragraph if it is longer than real paragraphs are."""
        if self.text.chars > _MAX_PARAGRAPH_CHARS:
            self.end_paragraph(paragraph)

    def end_paragraph(self, paragraph: ParagraphFormat) -> None:
        """Add the paragraph, or keep it for the table cell or the note that it belongs to."""
        text = self._taken()
        if self._outer:
            self.text.add(f"{text}\n")
            return
        if paragraph.in_table:
            self._cell.append(text)
        elif text.strip() or self._aside or self._pictures:
            self.end_table()
            self._add(text, paragraph)
        self._is_marked = False

    def end_cell(self) -> None:
        """Keep the text of the current cell for its row."""
        if self._outer:
            self.text.add("\t")
            return
        self._cell.append(self._taken())
        self._cells.append("\n".join(filter(None, self._cell)))
        self._cell = []
        self._is_marked = False

    def end_row(self) -> None:
        """Keep the current row for its table."""
        if self._outer:
            self.text.add("\n")
            return
        if self._cells:
            self._rows.append(self._cells)
        self._cells = []
        if len(self._rows) >= _MAX_ROWS:
            self.end_table()

    def end_table(self) -> None:
        """Add the table of the rows kept so far."""
        if self._cells or self._cell:
            self._rows.append([*self._cells, *self._cell])
        rows, self._rows, self._cells, self._cell = self._rows, [], [], []
        if rows:
            self._builder.add_table(rows)
            self._add_asides()

    def begin_aside(self, word: str, *, depth: int) -> None:
        """Interrupt the text for a note, page header or text box, until its group ends."""
        if len(self._outer) < _MAX_ASIDES:
            self._outer.append((depth, ASIDE[word], self.text))
            self.text = self.text.sibling()

    def end_asides(self, *, depth: int) -> None:
        """End the notes, headers and text boxes whose group has ended."""
        while self._outer and self._outer[-1][0] > depth:
            self._end_aside()

    def add_picture(self, data: bytes) -> None:
        """Keep a picture until the paragraph or table around it has ended."""
        if data:
            self._pictures.append(data)

    def close(self, paragraph: ParagraphFormat) -> None:
        """Add everything collected so far."""
        while self._outer:
            self._end_aside()
        self.end_paragraph(paragraph)
        self.end_table()

    def _taken(self) -> str:
        """Return the collected text, with its number but without its bullet."""
        text = self.text.take()
        return _BULLET.sub("", text) if self._is_marked else text

    def _end_aside(self) -> None:
        _, type_, outer = self._outer.pop()
        text, self.text = self.text.take().strip(), outer
        if type_ in {ElementType.HEADER, ElementType.FOOTER}:
            if text in self._page_headers:
                return
            self._page_headers.add(text)
        if text:
            self._aside.append((type_, text))

    def _add(self, text: str, paragraph: ParagraphFormat) -> None:
        level = self._header.heading(paragraph.style)
        if not level and 0 <= paragraph.outline < 9:
            level = paragraph.outline + 1
        if level and len(text) < MAX_TITLE_CHARS:
            self._builder.add(ElementType.TITLE, " ".join(text.split()), level=level)
        else:
            is_item = paragraph.is_item or self._is_marked
            self._builder.add(ElementType.LIST_ITEM if is_item else ElementType.NARRATIVE_TEXT, text)
        self._add_asides()

    def _add_asides(self) -> None:
        for type_, text in self._aside:
            self._builder.add(type_, text)
        for picture in self._pictures:
            self._builder.add_picture(picture)
        self._aside, self._pictures = [], []

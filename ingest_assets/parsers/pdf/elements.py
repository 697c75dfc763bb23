"""Build the elements of a page in reading order from its paragraphs, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingest_assets.parsers.building.pipe_tables import pipe_tables
from ingest_assets.parsers.page_layout.paragraphs import Paragraph, paragraphs
from ingest_assets.parsers.page_layout.rows import Flow
from ingest_assets.parsers.page_layout.typography import Typography, running_rows
from ingest_assets.parsers.page_layout.words import Words, words_of
from ingest_assets.parsers.pdf.graphics.pictures import PlacedPicture
from ingest_assets.parsers.pdf.objects import Box
from ingest_assets.parsers.pdf.text.footnotes import footnotes
from ingest_assets.parsers.pdf.text.headings import heading_level
from ingest_assets.records import Element, ElementType


class _Placed(NamedTuple):
    element: Element
    box: Box | None
    """None for turned text, which does not define where a picture belongs."""


def page_elements(
    flows: Sequence[Flow],
    pictures: Sequence[PlacedPicture],
    *,
    typography: Typography,
    page_number: int,
    titles: Mapping[str, int],
) -> tuple[Element, ...]:
    """Return the elements of a page; `titles` are the levels of the titles that the outline has on it.

    Each picture comes before the first text that is below it in its column.
    """
    running = running_rows(flows, typography)
    edges = [Element(kind, row.text, page_number) for row, kind in running]
    content = [[row for row in flow if not any(row is edge for edge, _ in running)] for flow in flows]
    content = [flow for flow in content if flow]
    words = typography.words | _words(content)
    found = paragraphs(content, words=words)
    notes = footnotes(found, body=typography.body)
    # A stamp across the page or a word along its side is not a heading. The first flow has most of the text.
    turns = {0, *(row.turn for row in flows[0][:1])} if flows else {0}
    levels = [heading_level(each, typography, titles) if each.turn in turns else 0 for each in found]
    placed = [
        element
        for index, paragraph in enumerate(found)
        for element in (
            _tables(paragraph, page_number)
            if paragraph.table
            else [_placed(paragraph, levels[index], page_number, is_note=index in notes)]
        )
    ]
    for picture in pictures:
        element = Element(ElementType.IMAGE, "", page_number, picture=picture.picture.sha256)
        placed.insert(_place(picture.box, placed), _Placed(element, picture.box))
    return (
        *(element for element in edges if element.type is ElementType.HEADER),
        *(element for element, _ in placed),
        *(element for element in edges if element.type is ElementType.FOOTER),
    )


def _words(content: Sequence[Flow]) -> Words:
    """Collect the words of a page if a line ends with a hyphen; only then they are needed."""
    rows = [row.text for flow in content for row in flow]
    return words_of("\n".join(rows)) if any(row.endswith("-") for row in rows) else frozenset()


def _tables(paragraph: Paragraph, page_number: int) -> list[_Placed]:
    """Return a table as one element, or as several if it is long."""
    box = (paragraph.x0, paragraph.y0, paragraph.x1, paragraph.y1)
    return [_Placed(Element(ElementType.TABLE, table, page_number), box) for table in pipe_tables(paragraph.table)]


def _placed(paragraph: Paragraph, level: int, page_number: int, *, is_note: bool) -> _Placed:
    kind = ElementType.LIST_ITEM if paragraph.is_item else ElementType.NARRATIVE_TEXT
    text = paragraph.text
    if is_note:
        kind, level = ElementType.FOOTNOTE, 0
    if level:
        kind, text = ElementType.TITLE, " ".join(text.split("\n"))
    box = (paragraph.x0, paragraph.y0, paragraph.x1, paragraph.y1) if paragraph.turn == 0 else None
    return _Placed(Element(kind, text, page_number, level), box)


def _place(box: Box, placed: Sequence[_Placed]) -> int:
    """Return the place of a picture: before the first text that is below it in its column."""
    left, bottom, right, top = box
    after_last = None
    for index, (_, other) in enumerate(placed):
        if other is None or min(right, other[2]) <= max(left, other[0]):
            continue
        if (other[1] + other[3]) / 2 < (bottom + top) / 2:
            return index
        after_last = index + 1
    return len(placed) if after_last is None else after_last

"""Add the blocks of an OpenDocument text or slide to a part builder.

Blocks are headings with their level, paragraphs, list items and tables. The notes and frames (text boxes, pictures,
formulas, charts) of a paragraph follow it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest_assets.parsers.building.part_builder import MAX_TITLE_CHARS, PartBuilder
from ingest_assets.parsers.opendocument import tables as odf_tables
from ingest_assets.parsers.opendocument.inline import ParagraphText, number
from ingest_assets.parsers.opendocument.lists import ListNumbers
from ingest_assets.parsers.opendocument.package import DRAW, HREF, OFFICE, STYLE, TABLE, TEXT, OdfPackage
from ingest_assets.records import ElementType

if TYPE_CHECKING:
    from lxml import etree

_MATH = "{http://www.w3.org/1998/Math/MathML}"
_PARAGRAPHS = {TEXT + "p", TEXT + "h"}
# Declarations, deleted text of tracked changes, forms, comments.
_SKIPPED = {
    TEXT + "tracked-changes",
    TEXT + "sequence-decls",
    TEXT + "variable-decls",
    TEXT + "user-field-decls",
    OFFICE + "forms",
    OFFICE + "annotation",
    TABLE + "shapes",
}
_LEAVES = {*_PARAGRAPHS, TEXT + "list", TABLE + "table"}
# OpenDocument 1.3, 20.411: a keyword, or a percentage of the height of the font.
_RAISED = re.compile(r"super|[1-9]")
_TITLE_STYLES = {"Title": 1, "Subtitle": 2}
_READABLE = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")


class OdfBlocks:
    """Add blocks to a builder, with the styles learned so far."""

    def __init__(self, package: OdfPackage, *, builder: PartBuilder) -> None:
        self.page_number: int | None = None
        self._package = package
        self._builder = builder
        self._parents: dict[str, str] = {}
        self._raised: set[str] = set()
        self._lists = ListNumbers()

    def learn_style(self, style: etree._Element) -> None:
        """Remember the parent of a style, whether it raises its characters, and how a list style numbers."""
        if style.tag == TEXT + "list-style":
            self._lists.learn(style)
            return
        name = style.get(STYLE + "name", "")
        self._parents[name] = style.get(STYLE + "parent-style-name", "")
        places = (look.get(STYLE + "text-position", "") for look in style.iterfind(STYLE + "text-properties"))
        if name and any(_RAISED.match(place) for place in places):
            self._raised.add(name)

    def leaves(self, node: etree._Element) -> Iterator[etree._Element]:
        """Yield the blocks in a node one by one, also those in containers."""
        if node.tag in _LEAVES or (isinstance(node.tag, str) and node.tag.startswith(DRAW)):
            yield node
        elif isinstance(node.tag, str) and node.tag not in _SKIPPED:
            for child in node:
                yield from self.leaves(child)

    def add(
        self,
        node: etree._Element,
        *,
        type_: ElementType = ElementType.NARRATIVE_TEXT,
        level: int = 0,
        label: str = "",
    ) -> None:
        """Add a block; `type_`, `level` and `label` apply to paragraphs that are not headings."""
        if node.tag in _PARAGRAPHS:
            self._add_paragraph(node, type_=type_, level=level, label=label)
        elif node.tag == TEXT + "list":
            self._add_list(node, type_=type_, level=level)
        elif node.tag == TABLE + "table":
            self._add_table(node)
        elif isinstance(node.tag, str) and node.tag.startswith(DRAW):
            self._add_drawing(node, type_=type_, level=level)
        else:
            for leaf in self.leaves(node):
                self.add(leaf, type_=type_, level=level)

    def _add_paragraph(self, node: etree._Element, *, type_: ElementType, level: int, label: str) -> None:
        inline = ParagraphText(node, raised=self._raised)
        style = node.get(TEXT + "style-name", "")
        named = _TITLE_STYLES.get(style) or _TITLE_STYLES.get(self._parents.get(style, ""), 0)
        if node.tag == TEXT + "h":
            type_, level = ElementType.TITLE, max(1, min(10, number(node, TEXT + "outline-level", default=1)))
        elif named:
            type_, level = ElementType.TITLE, named
        if type_ is ElementType.TITLE and len(inline.text) > MAX_TITLE_CHARS:
            type_, level = ElementType.NARRATIVE_TEXT, 0
        text = " ".join(inline.text.split()) if type_ is ElementType.TITLE else inline.text
        text = f"{label} {text}" if label and text else text
        self._builder.add(type_, text, page_number=self.page_number, level=level)
        self._add_anchored([inline])

    def _add_list(self, node: etree._Element, *, type_: ElementType, level: int) -> None:
        """Add the items of a list and of the lists in it; a numbered heading is an item that stays a heading."""
        item_type = type_ if type_ is ElementType.TITLE else ElementType.LIST_ITEM
        self._lists.begin(node)
        for item in node:
            children = [child for child in item if child.tag != TEXT + "soft-page-break"]
            # An item that begins with an inner list has no number of its own.
            begins = bool(children) and children[0].tag in _PARAGRAPHS
            label = self._lists.next_label(item) if begins else ""
            for place, child in enumerate(children):
                self.add(child, type_=item_type, level=level, label="" if place else label)

    def _add_table(self, table: etree._Element) -> None:
        found: list[ParagraphText] = []

        def text_of(cell: etree._Element) -> str:
            inlines = [ParagraphText(paragraph, raised=self._raised) for paragraph in _paragraphs(cell)]
            found.extend(inlines)
            return "\n".join(filter(None, (inline.text for inline in inlines)))

        cells = odf_tables.CellTexts(text_of)
        rows: list[list[str]] = []
        for row in odf_tables.rows_of(table):
            texts = cells.of(row)
            line = [texts.get(column, "") for column in range(1, max(texts, default=0) + 1)]
            rows.extend([line] * min(odf_tables.repeats(row), odf_tables.MAX_REPEATED))
        self._builder.add_table(rows, page_number=self.page_number)
        self._add_anchored(found)

    def _add_anchored(self, inlines: list[ParagraphText]) -> None:
        for inline in inlines:
            for note in inline.notes:
                texts = [ParagraphText(each, raised=self._raised).text for each in note.iter(*_PARAGRAPHS)]
                self._builder.add(ElementType.FOOTNOTE, "\n".join(texts), page_number=self.page_number)
            for frame in inline.frames:
                self.add(frame)

    def _add_drawing(self, node: etree._Element, *, type_: ElementType, level: int) -> None:
        """Add the content of a frame; of several formats of one picture, one that can be read."""
        for child in node:
            if child.tag in _LEAVES or child.tag == DRAW + "text-box":
                self.add(child, type_=type_, level=level)
            elif isinstance(child.tag, str) and child.tag.startswith(DRAW) and child.tag not in _FRAMED:
                self._add_drawing(child, type_=type_, level=level)
        if not any(self._add_object(child) for child in node.findall(DRAW + "object")):
            self._add_picture(node.findall(DRAW + "image"))

    def _add_picture(self, images: list[etree._Element]) -> None:
        images.sort(key=lambda image: not image.get(HREF, "").lower().endswith(_READABLE))
        for image in images:
            name = image.get(HREF, "")
            data = self._package.data(name) or _inline_data(image)
            if data:
                self._builder.add_picture(data, page_number=self.page_number, name=name or "a picture")
                return

    def _add_object(self, node: etree._Element) -> bool:
        """Add the source of a formula or the numbers of a chart; return False for any other object."""
        root = self._package.tree(f"{node.get(HREF, '').removeprefix('./').rstrip('/')}/content.xml")
        if root is None:
            return False
        if root.tag == _MATH + "math":
            notes = root.findall(f".//{_MATH}annotation")
            text = notes[0].text if notes else " ".join("".join(map(str, root.itertext())).split())
            self._builder.add(ElementType.FORMULA, text or "", page_number=self.page_number)
            return True
        table = root.find(f".//{OFFICE}chart//{TABLE}table")
        if table is not None:
            self._add_table(table)
        return table is not None


_FRAMED = {DRAW + "image", DRAW + "object", DRAW + "object-ole", DRAW + "plugin", DRAW + "image-map"}


def _paragraphs(node: etree._Element) -> Iterator[etree._Element]:
    """Yield the paragraphs of a cell, also those in its lists and tables, but not those in frames and notes."""
    for child in node:
        if child.tag in _PARAGRAPHS:
            yield child
        elif isinstance(child.tag, str) and child.tag not in _SKIPPED and not child.tag.startswith(DRAW):
            yield from _paragraphs(child)


def _inline_data(image: etree._Element) -> bytes:
    try:
        return base64.b64decode(image.findtext(OFFICE + "binary-data", ""))
    except (binascii.Error, ValueError):
        return b"damaged"

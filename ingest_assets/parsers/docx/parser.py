"""Read a Word document: headings with their level, lists with their numbers, tables, notes, pictures and charts.

`unstructured` chooses the types of paragraphs, numbers the lists and reads the tables. Its partitioner is called block
by block, so that its objects are freed before the next part, and so that text boxes, notes, equations, charts and
pictures, which it does not read, are added in their place (`tree.py`, `notes.py`).

Page numbers are those of the page breaks that Word stored when it last laid out the document; many documents have none.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import MAX_TITLE_CHARS, PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.docx import tree as docx_tree
from ingest_assets.parsers.docx.headings import heading_styles, level_by_look, looks_of
from ingest_assets.parsers.docx.notes import Notes
from ingest_assets.parsers.docx.xml_names import R, W
from ingest_assets.parsers.embedded import EmbeddedDocuments
from ingest_assets.parsers.html import tables as html_tables
from ingest_assets.parsers.html import tree as html_tree
from ingest_assets.parsers.ooxml import package as ooxml
from ingest_assets.parsers.ooxml.charts import chart_table
from ingest_assets.parsers.ooxml.drawing_text import diagram_texts
from ingest_assets.parsers.unstructured_elements import level_of, type_of
from ingest_assets.records import ElementType, Part

if TYPE_CHECKING:
    from lxml import etree

VERSION = "5"
PART = "block of text"

# Paragraphs and tables of one part: some ten pages.
_PART_BLOCKS = 200
_PART_CHARS = 100_000
_MAX_NESTING = 20


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield parts of up to 200 paragraphs and tables.

    Raises:
        BadInput: damaged, encrypted, a bomb, or no Word document.
    """
    with ooxml.opened(path, limits=limits) as package:
        with naming_damage("a Word document"):
            reader = _DocumentReader(package, builder=PartBuilder(limits=limits, start=start), limits=limits)
        yield from reader.parts()


class _DocumentReader:
    """Read the blocks of a document in one pass."""

    def __init__(self, package: Path, *, builder: PartBuilder, limits: Limits) -> None:
        from docx.opc.constants import RELATIONSHIP_TYPE

        from ingest_assets.parsers.docx.unstructured_docx import DocxPartitioner, DocxPartitionerOptions

        self._builder = builder
        self._documents = EmbeddedDocuments(builder=builder, limits=limits)
        options = DocxPartitionerOptions(
            file=None, file_path=str(package), include_page_breaks=False, infer_table_structure=True
        )
        self._partitioner: Any = DocxPartitioner(options)
        self._options: Any = options
        self._document: Any = options.document
        docx_tree.simplify(self._document.element)
        for relation in self._document.part.rels.values():
            is_header_or_footer = relation.reltype in (RELATIONSHIP_TYPE.HEADER, RELATIONSHIP_TYPE.FOOTER)
            if is_header_or_footer and not relation.is_external and hasattr(relation.target_part, "element"):
                docx_tree.simplify(relation.target_part.element)
        self._sections: list[Any] = list(self._document.sections)
        self._looks = looks_of(self._document.element.body, heading_styles=heading_styles(self._document))
        self._notes = Notes(self._document.part)
        self._furniture: set[str] = set()
        self._taken: set[str] = set()
        self._blocks = 0

    def parts(self) -> Iterator[Part]:
        """Yield the parts. A block that cannot be read is kept as bare text, with a warning."""
        sections = iter(self._sections)
        section = next(sections, None)
        self._add_furniture(section, "headers")
        for block in self._document.element.body.iterchildren(W + "p", W + "tbl", W + "altChunk"):
            if block.tag == W + "altChunk":
                yield from self._included(block)
                continue
            self._add_safely(block)
            if self._blocks >= _PART_BLOCKS or self._builder.chars >= _PART_CHARS:
                self._blocks = 0
                yield from self._builder.flush()
            if section is not None and block.find(f"{W}pPr/{W}sectPr") is section._sectPr:
                self._add_furniture(section, "footers")
                section = next(sections, None)
                self._add_furniture(section, "headers")
        self._add_furniture(section, "footers")
        yield from self._builder.rest()

    def _add_safely(self, block: etree._Element) -> None:
        try:
            self._add_block(block)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - python-docx raises whatever a malformed attribute leads to
            text = " ".join(node.text or "" for node in block.iter(W + "t"))
            self._builder.add(ElementType.NARRATIVE_TEXT, text)
            self._builder.warn(f"a paragraph or table was read as bare text: {type(error).__name__} ({error})")

    def _included(self, block: etree._Element) -> Iterator[Part]:
        """Yield the parts of a document of another format, embedded as an altChunk (ECMA-376 part 1, 17.17.2.1)."""
        relation = self._document.part.rels.get(block.get(f"{R}id", ""))
        if relation is None or relation.is_external or not relation.reltype.endswith("/aFChunk"):
            return
        name = str(relation.target_part.partname)
        if name not in self._taken:
            self._taken.add(name)
            yield from self._documents.parts(io.BytesIO(relation.target_part.blob), name=name, level=0, is_titled=False)

    def _add_block(self, block: etree._Element, *, depth: int = 0) -> None:
        self._blocks += 1
        if block.tag == W + "p":
            self._add_paragraph(block, depth=depth)
        else:
            self._add_table(block, depth=depth)

    def _add_paragraph(self, block: etree._Element, *, depth: int) -> None:
        from docx.text.paragraph import Paragraph

        boxes = docx_tree.take_text_boxes(block)
        paragraph = Paragraph(block, self._document._body)
        outline = self._outline_level(paragraph) or (level_by_look(block, self._looks) if depth == 0 else 0)
        for element in self._partitioner._iter_paragraph_elements(paragraph):
            type_, level = type_of(element), level_of(element)
            if docx_tree.is_formula(block):
                type_, level = ElementType.FORMULA, 0
            elif outline and type_ is not ElementType.TITLE:
                type_, level = ElementType.TITLE, outline
            if type_ is ElementType.TITLE and len(element.text) > MAX_TITLE_CHARS:
                type_, level = ElementType.NARRATIVE_TEXT, 0
            self._builder.add(type_, element.text, page_number=element.metadata.page_number, level=level)
        self._add_drawings(block)
        for box in boxes:
            self._add_inner(box, depth=depth)
        self._add_notes(block)

    def _outline_level(self, paragraph: Any) -> int:
        """Return the level of a heading in a style of the author's own, or 0 for another paragraph."""
        own = paragraph._p.xpath("./w:pPr/w:outlineLvl/@w:val")
        style = self._partitioner._list_labels.style_of(paragraph)
        seen = 0
        while not own and style is not None and seen < _MAX_NESTING:
            own = style.element.xpath("./w:pPr/w:outlineLvl/@w:val")
            style = getattr(style, "base_style", None)
            seen += 1
        return int(own[0]) + 1 if own and own[0] in "012345678" else 0

    def _add_table(self, block: etree._Element, *, depth: int) -> None:
        from docx.table import Table

        boxes = docx_tree.take_text_boxes(block)
        table = Table(block, self._document._body)
        cells = [*block.iterfind(f"{W}tr/{W}tc")]
        if len(cells) == 1 or (depth < 3 and docx_tree.is_layout(block, cells)):
            for cell in cells:
                self._add_inner(cell, depth=depth)
            return
        html = self._partitioner._convert_table_to_html(table)
        self._partitioner._advance_table_numbering(table)
        page_number = self._options.metadata_page_number
        if html is None:
            rows = [[" ".join(self._partitioner._iter_table_texts(table))]]
        else:
            parsed = html_tree.parse(html).find(".//table")
            rows = html_tables.rows_of(parsed) if parsed is not None else []
        self._builder.add_table(rows, page_number=page_number)
        self._add_drawings(block)
        for box in boxes:
            self._add_inner(box, depth=depth)
        self._add_notes(block)

    def _add_inner(self, box: etree._Element, *, depth: int) -> None:
        """Add the blocks of a text box, or of a cell that is used for layout."""
        if depth >= _MAX_NESTING:
            self._builder.add(ElementType.NARRATIVE_TEXT, " ".join(node.text or "" for node in box.iter(W + "t")))
            return
        for block in box.iterchildren(W + "p", W + "tbl"):
            self._add_block(block, depth=depth + 1)

    def _add_drawings(self, block: etree._Element) -> None:
        page_number = self._options.metadata_page_number
        for kind, relation in docx_tree.relations(block):
            part = self._document.part.rels.get(relation)
            if part is None or part.is_external:
                continue
            name = str(part.target_part.partname)
            if kind == "picture":
                self._builder.add_picture(part.target_part.blob, page_number=page_number, name=name)
                continue
            try:
                drawn = zip_safety.parse_xml(part.target_part.blob)
            except (BadInput, SyntaxError) as error:  # lxml raises a SyntaxError
                self._builder.warn(f"{name} was left out: {error}")
                continue
            if kind == "diagram":
                for text in diagram_texts(drawn):
                    self._builder.add(ElementType.LIST_ITEM, text, page_number=page_number)
                continue
            title, rows = chart_table(drawn)
            self._builder.add(ElementType.NARRATIVE_TEXT, title, page_number=page_number)
            self._builder.add_table(rows, page_number=page_number)

    def _add_notes(self, block: etree._Element) -> None:
        for kind, number in docx_tree.notes(block):
            text = self._notes.text(kind, number)
            self._builder.add(ElementType.FOOTNOTE, text, page_number=self._options.metadata_page_number)

    def _add_furniture(self, section: Any, what: str) -> None:
        """Add the headers or footers of a section, each distinct text once per document."""
        if section is None:
            return
        try:
            found = list(getattr(self._partitioner, f"_iter_section_{what}")(section))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - see _add_safely
            self._builder.warn(f"the {what} of a section were left out: {type(error).__name__} ({error})")
            return
        for element in found:
            if element.text not in self._furniture:
                self._furniture.add(element.text)
                self._builder.add(type_of(element), element.text)

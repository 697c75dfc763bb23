"""Read a PowerPoint presentation: one part per slide, with title, texts, tables, charts, diagrams, pictures and notes.

`unstructured` orders the shapes and chooses the types of their paragraphs. Its partitioner is called shape by shape,
because it leaves out charts, SmartArt, shapes over the edge of the slide and cells that a merged one covers, and takes
any short line for a title. The title of a slide is the text of its title placeholder or, without one, the short text
alone at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.ooxml import package as ooxml
from ingest_assets.parsers.ooxml.charts import chart_table
from ingest_assets.parsers.ooxml.drawing_text import DIAGRAM, A, diagram_texts, paragraph_text
from ingest_assets.parsers.pptx import tree as pptx_tree
from ingest_assets.parsers.unstructured_elements import type_of
from ingest_assets.records import ElementType, Part

VERSION = "5"
PART = "slide"

_MAX_TITLE_WORDS = 20  # two lines in large type
_MAX_TITLE_LINES = 3

_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the slides.

    Raises:
        BadInput: damaged, encrypted, a bomb, no presentation, or more slides than the limit.
    """
    with ooxml.opened(path, limits=limits) as package, naming_damage("a PowerPoint presentation"):
        slides = len(_slide_ids(package))
    if slides > limits.max_pages:
        raise BadInput(f"it has {slides:,} slides, over the limit of {limits.max_pages:,}; split the presentation")
    return slides


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield a part for each slide; a slide that cannot be read has a problem and no elements.

    Raises:
        BadInput: damaged, encrypted, a bomb, or no presentation.
    """
    builder = PartBuilder(limits=limits, start=start)
    with ooxml.opened(path, limits=limits) as package:
        with naming_damage("a PowerPoint presentation"):
            reader = _SlideReader(package, builder=builder)
            slides = reader.slides()
        for slide in slides:
            problem = ""
            try:
                reader.add(slide, page_number=builder.number + 1)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - python-pptx raises whatever a malformed attribute leads to
                problem = f"slide {builder.number + 1} cannot be read ({type(error).__name__}: {error})"
            yield from builder.flush(page_number=builder.number + 1, problem=problem)
    yield from builder.rest()


def _slide_ids(package: Path) -> list[str]:
    import zipfile

    with zipfile.ZipFile(package) as archive:
        root = zip_safety.parse_xml(archive.read("ppt/presentation.xml"))
    return [node.get(f"{_R}id", "") for node in root.iter("{*}sldId")]


class _SlideReader:
    """Read the slides of a presentation one by one."""

    def __init__(self, package: Path, *, builder: PartBuilder) -> None:
        import pptx

        from ingest_assets.parsers.pptx.unstructured_pptx import PptxPartitioner, PptxPartitionerOptions

        self._builder = builder
        self._presentation = pptx.Presentation(str(package))
        options = PptxPartitionerOptions(
            file=None, file_path="", include_page_breaks=False, include_slide_notes=True,
            infer_table_structure=False, strategy="fast",
        )  # fmt: skip
        partitioner: Any = PptxPartitioner(options)
        # The library drops shapes that begin left of or above the slide, often a title that is a millimetre too wide.
        partitioner._shape_is_off_slide = lambda shape: False
        self._partitioner = partitioner

    def slides(self) -> list[Any]:
        return list(self._presentation.slides)

    def add(self, slide: Any, *, page_number: int) -> None:
        """Add the title of a slide, then its shapes from top to bottom, then its notes."""
        pptx_tree.simplify(slide._element)
        if slide.has_notes_slide:
            pptx_tree.simplify(slide.notes_slide._element)
        title, shapes = self._partitioner._order_shapes(slide)
        title = title if title is not None and _is_title(title) else _title_by_place(shapes)
        if title is not None:
            self._add_texts(self._partitioner._iter_title_shape_element(title), page_number=page_number, is_title=True)
        for shape in shapes:
            # Elements, not ids: generators give the title's id to other shapes as well (gitbrent/PptxGenJS#1532).
            if title is None or shape._element is not title._element:
                self._add_shape(shape, page_number=page_number)
        self._add_texts(self._partitioner._iter_maybe_slide_notes(slide), page_number=page_number)

    def _add_texts(self, elements: Iterator[Any], *, page_number: int, is_title: bool = False) -> None:
        """Add paragraphs; the lines of a title are joined to one title."""
        lines: list[str] = []
        for element in elements:
            type_ = type_of(element)
            if is_title and type_ is ElementType.TITLE:
                lines.append(element.text)
                continue
            type_ = ElementType.NARRATIVE_TEXT if type_ is ElementType.TITLE else type_
            self._builder.add(type_, element.text, page_number=page_number)
        self._builder.add(ElementType.TITLE, " ".join(lines), page_number=page_number, level=1)

    def _add_shape(self, shape: Any, *, page_number: int) -> None:
        if shape.has_table:
            self._builder.add_table(_table_rows(shape.table), page_number=page_number)
        elif shape.has_text_frame:
            furniture = _furniture(shape)
            if furniture is None:
                self._add_texts(self._partitioner._iter_shape_elements(shape), page_number=page_number)
            else:
                self._builder.add(furniture, shape.text_frame.text, page_number=page_number)
        self._add_charts(shape, page_number=page_number)
        self._add_diagrams(shape, page_number=page_number)
        for blip in shape._element.iter(f"{A}blip"):
            self._add_picture(shape.part, blip.get(f"{_R}embed", ""), page_number=page_number)

    def _add_charts(self, shape: Any, *, page_number: int) -> None:
        for node in shape._element.iter(f"{_CHART}chart"):
            part = _related(shape.part, node.get(f"{_R}id", ""))
            if part is not None:
                title, rows = chart_table(zip_safety.parse_xml(part.blob))
                self._builder.add(ElementType.NARRATIVE_TEXT, title, page_number=page_number)
                self._builder.add_table(rows, page_number=page_number)

    def _add_diagrams(self, shape: Any, *, page_number: int) -> None:
        """Add the texts of a SmartArt diagram in the order of its data."""
        for node in shape._element.iter(f"{DIAGRAM}relIds"):
            part = _related(shape.part, node.get(f"{_R}dm", ""))
            for text in diagram_texts(zip_safety.parse_xml(part.blob)) if part is not None else ():
                self._builder.add(ElementType.LIST_ITEM, text, page_number=page_number)

    def _add_picture(self, slide_part: Any, relation: str, *, page_number: int) -> None:
        part = _related(slide_part, relation)
        if part is not None:
            self._builder.add_picture(part.blob, page_number=page_number, name=str(part.partname))


def _is_title(placeholder: Any) -> bool:
    """Return whether a placeholder is a title: python-pptx takes any of index 0, and LibreOffice writes no index."""
    kind = placeholder._element.find(".//{*}nvPr/{*}ph")
    return kind is not None and kind.get("type", "obj") in {"title", "ctrTitle"}


def _title_by_place(shapes: Sequence[Any]) -> Any:
    """Return the shape that serves as title on a slide without one: the topmost text, short and above all others."""
    texts = [shape for shape in shapes if shape.has_text_frame and shape.text_frame.text.strip()]
    texts = [shape for shape in texts if _furniture(shape) is None]
    if len(texts) < 2 or any(shape.top is None or shape.height is None for shape in texts[:2]):
        return None
    first, second = texts[:2]
    words, lines = len(first.text_frame.text.split()), len(first.text_frame.paragraphs)
    is_short = words <= _MAX_TITLE_WORDS and lines <= _MAX_TITLE_LINES
    return first if is_short and first.top + first.height <= second.top else None


def _furniture(shape: Any) -> ElementType | None:
    """Return HEADER or FOOTER for header, footer, date and slide number; None for other shapes."""
    placeholder = shape._element.find(".//{*}nvPr/{*}ph")
    kind = placeholder.get("type", "") if placeholder is not None else ""
    return {
        "hdr": ElementType.HEADER,
        "ftr": ElementType.FOOTER,
        "dt": ElementType.FOOTER,
        "sldNum": ElementType.FOOTER,
    }.get(kind)


def _related(part: Any, relation: str) -> Any:
    """Return the package part of a relationship; None where there is none or it is outside the file."""
    found = part.rels.get(relation)
    return None if found is None or found.is_external else found.target_part


def _table_rows(table: Any) -> list[list[str]]:
    """Return the texts of the cells by row; a merged cell is repeated in each cell that it covers."""
    rows: list[list[str]] = []
    covered: dict[tuple[int, int], str] = {}
    for row_number, row in enumerate(table._tbl.tr_lst):
        line = []
        for column, cell in enumerate(row.tc_lst):
            text = covered.get((row_number, column))
            if text is None:
                text = "\n".join(paragraph_text(paragraph) for paragraph in cell.iter(f"{A}p"))
            # Only cells that are marked as covered repeat the text, because the span of a merged cell may be wrong.
            if row_number + 1 < len(table._tbl.tr_lst):
                below = table._tbl.tr_lst[row_number + 1].tc_lst
                if column < len(below) and below[column].vMerge:
                    covered[row_number + 1, column] = text
            if column + 1 < len(row.tc_lst) and row.tc_lst[column + 1].hMerge:
                covered[row_number, column + 1] = text
            line.append(text)
        rows.append(line)
    return rows

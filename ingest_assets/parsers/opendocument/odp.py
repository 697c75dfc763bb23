"""Read an OpenDocument presentation or drawing: one part per slide, with title, texts, tables, pictures and notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.opendocument import package as odf_package
from ingest_assets.parsers.opendocument.blocks import OdfBlocks
from ingest_assets.parsers.opendocument.package import CHILD_DEPTH, DRAW, PRESENTATION, STYLE
from ingest_assets.records import ElementType, Part

if TYPE_CHECKING:
    from lxml import etree

VERSION = "2"
PART = "slide"

_TITLES = {"title": 1, "subtitle": 2}
# Placeholders that the program fills in itself.
_EMPTY = {"header", "footer", "date-time", "page-number", "page"}


def count_pages(path: Path, *, limits: Limits) -> int:
    """Count the slides.

    Raises:
        BadInput: truncated, encrypted, a bomb, no OpenDocument file, or more slides than the limit.
    """
    with odf_package.opened(path, limits=limits) as package:
        return package.count(DRAW + "page")


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the slides.

    Raises:
        BadInput: damaged before the first slide, encrypted, a bomb, or no OpenDocument file.
    """
    builder = PartBuilder(limits=limits, start=start)
    with odf_package.opened(path, limits=limits) as package:
        total = package.count(DRAW + "page")
        blocks = OdfBlocks(package, builder=builder)
        try:
            for event, element, depth in package.events(whole=True):
                if event == "end" and element.tag == STYLE + "style":
                    blocks.learn_style(element)
                if event == "start" or depth != CHILD_DEPTH or element.tag != DRAW + "page":
                    continue
                blocks.page_number = builder.number + 1
                _add(element, blocks=blocks)
                yield from builder.flush(page_number=blocks.page_number)
                odf_package.forget(element)
        except BadInput as error:
            if builder.number == 0:
                raise
            # All slides that were counted get a part, so that no page number is missing.
            for page_number in range(builder.number + 1, total + 1):
                yield from builder.flush(page_number=page_number, problem=str(error))
    yield from builder.rest()


def _add(page: etree._Element, *, blocks: OdfBlocks) -> None:
    """Add the titles of a slide, then its other shapes in their order, then its notes."""
    shapes = [child for child in page if child.get(PRESENTATION + "class") not in _EMPTY]
    titled = [child for child in shapes if child.get(PRESENTATION + "class") in _TITLES]
    for shape in titled:
        level = _TITLES[shape.get(PRESENTATION + "class", "title")]
        blocks.add(shape, type_=ElementType.TITLE, level=level)
    for shape in shapes:
        if shape not in titled and shape.tag != PRESENTATION + "notes":
            blocks.add(shape)
    for notes in page.findall(PRESENTATION + "notes"):
        for shape in notes:
            if shape.get(PRESENTATION + "class") not in _EMPTY:
                blocks.add(shape)

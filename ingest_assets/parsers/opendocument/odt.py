"""Read an OpenDocument text block by block: headings, paragraphs, lists, tables, notes and frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.opendocument import package as odf_package
from ingest_assets.parsers.opendocument.blocks import OdfBlocks
from ingest_assets.parsers.opendocument.inline import ParagraphText
from ingest_assets.parsers.opendocument.package import CHILD_DEPTH, STYLE, TEXT, OdfPackage
from ingest_assets.records import ElementType, Part

VERSION = "2"
PART = "block of text"

# Paragraphs and tables of one part: some 10 pages.
_PART_BLOCKS = 200
_PART_CHARS = 100_000
_FURNITURE = {"header": ElementType.HEADER, "footer": ElementType.FOOTER}


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield parts of 200 paragraphs, lists and tables.

    Raises:
        BadInput: damaged before any text, encrypted, a bomb, or no OpenDocument file.
    """
    builder = PartBuilder(limits=limits, start=start)
    problem = ""
    with odf_package.opened(path, limits=limits) as package:
        _add_furniture(package, "header", builder=builder)
        blocks = 0
        try:
            for _ in _add_blocks(package, builder=builder):
                blocks += 1
                if blocks >= _PART_BLOCKS or builder.chars >= _PART_CHARS:
                    blocks = 0
                    yield from builder.flush()
        except BadInput as error:
            if not builder.elements and builder.number == 0:
                raise
            problem = f"{error}; text is missing from there on"
        _add_furniture(package, "footer", builder=builder)
    yield from builder.rest()
    if problem:
        yield from builder.flush(problem=problem)


def _add_blocks(package: OdfPackage, *, builder: PartBuilder) -> Iterator[None]:
    blocks = OdfBlocks(package, builder=builder)
    named = package.tree("styles.xml")
    for style in named.iter(TEXT + "list-style") if named is not None else ():
        blocks.learn_style(style)
    for event, element, depth in package.events(whole=True):
        if event == "start":
            continue
        if element.tag in {STYLE + "style", TEXT + "list-style"}:
            blocks.learn_style(element)
            odf_package.forget(element)
        if depth != CHILD_DEPTH or _is_style(element):
            continue
        for leaf in blocks.leaves(element):
            blocks.add(leaf)
            yield
        odf_package.forget(element)


def _is_style(element: object) -> bool:
    return str(getattr(element, "tag", "")).startswith((STYLE, f"{TEXT}list-level-"))


def _add_furniture(package: OdfPackage, what: str, *, builder: PartBuilder) -> None:
    """Add the headers or footers of the page styles, each distinct text once."""
    styles = package.tree("styles.xml")
    seen: set[str] = set()
    for kind in (what, f"{what}-left", f"{what}-first") if styles is not None else ():
        for node in styles.iter(STYLE + kind) if styles is not None else ():
            text = "\n".join(filter(None, (ParagraphText(p).text for p in node.iter(TEXT + "p", TEXT + "h"))))
            if text and text not in seen and node.getparent().tag == STYLE + "master-page":
                seen.add(text)
                builder.add(_FURNITURE[what], text)

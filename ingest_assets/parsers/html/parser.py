"""Read an HTML page: titles with their level, paragraphs, list items, tables, code and embedded pictures.

`unstructured` chooses the types of the blocks; `tree.py` prepares the page for it and says why. The page is given to it
in pieces of some kilobytes, so that the objects for one piece are freed before the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.html import blocks as html_blocks
from ingest_assets.parsers.html import tree as html_tree
from ingest_assets.records import ElementType, Part

if TYPE_CHECKING:
    from lxml import etree

VERSION = "4"
PART = "block of text"

_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the page in parts of some 32,000 characters that end with a block.

    Raises:
        BadInput: empty, or binary data.
    """
    builder = PartBuilder(limits=limits, start=start)
    root = html_tree.parse(_text(path))
    title = _title(root)
    if title:
        builder.add(ElementType.TITLE, title, level=1)
    yield from add(root, builder=builder)
    yield from builder.rest()


def add(root: etree._Element, *, builder: PartBuilder, find: html_blocks.FindPicture | None = None) -> Iterator[Part]:
    """Add a page to a builder and yield each full part; the rest stays in the builder.

    `find` is described at `blocks.add`.
    """
    for _ in html_blocks.add(root, builder=builder, find=find):
        if builder.is_full:
            yield from builder.flush()


def _text(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise BadInput("an empty file (0 bytes): upload it again")
    return "".join(encoding.decode(path, encoding.detect(path, declared=declared_encoding(head))))


def declared_encoding(page: bytes) -> str:
    """Return the encoding that the first 4,096 bytes of a page name, or ""."""
    declared = _DECLARED.search(page[:4096])
    return declared[1].decode("ascii") if declared else ""


def _title(root: etree._Element) -> str:
    """Return the <title> of a page that has no <h1>, otherwise ""."""
    if root.find(".//h1") is not None:
        return ""
    title = next((each for each in root.iter("title") if each.getparent().tag in {"head", "html"}), None)
    return html_tree.inner_text(title) if title is not None else ""

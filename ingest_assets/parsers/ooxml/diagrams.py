"""The data of a SmartArt diagram (DOCX, PPTX) in, its texts out, in the order in which they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest_assets.parsers.ooxml.drawing_text import A, paragraph_text

if TYPE_CHECKING:
    from lxml import etree

DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
# ECMA-376 part 1, 21.4.7.51: the other points place and connect these.
_WITH_TEXT = {"node", "asst"}


def texts(data: etree._Element) -> Iterator[str]:
    """Yield the text of each point that has any, its paragraphs as lines."""
    for point in data.iter(f"{DIAGRAM}pt"):
        if point.get("type", "node") in _WITH_TEXT:
            text = "\n".join(map(paragraph_text, point.iter(f"{A}p"))).strip()
            if text:
                yield text

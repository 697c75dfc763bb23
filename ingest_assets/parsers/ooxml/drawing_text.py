"""Read the text of DrawingML: paragraphs of shapes, table cells and charts, and the points of SmartArt diagrams.

All Office programs draw with DrawingML (ECMA-376 part 1, 20 and 21).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
# ECMA-376 part 1, 21.4.7.51: points of the other types only place and connect these.
_POINTS_WITH_TEXT = {"node", "asst"}


def paragraph_text(paragraph: etree._Element) -> str:
    """Join the runs of a paragraph; a line break becomes a line end."""
    return "".join("\n" if node.tag == f"{A}br" else node.text or "" for node in paragraph.iter(f"{A}t", f"{A}br"))


def diagram_texts(data: etree._Element) -> Iterator[str]:
    """Yield the text of each point of a SmartArt diagram in the order of its data part, one paragraph a line."""
    for point in data.iter(f"{DIAGRAM}pt"):
        if point.get("type", "node") in _POINTS_WITH_TEXT:
            text = "\n".join(map(paragraph_text, point.iter(f"{A}p"))).strip()
            if text:
                yield text

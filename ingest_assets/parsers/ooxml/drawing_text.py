"""A paragraph of DrawingML (in shapes, tables and diagrams of all Office programs) in, its text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def paragraph_text(paragraph: etree._Element) -> str:
    """Join the runs of a paragraph; its breaks are line ends."""
    return "".join("\n" if node.tag == f"{A}br" else node.text or "" for node in paragraph.iter(f"{A}t", f"{A}br"))

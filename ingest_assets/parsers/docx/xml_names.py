"""Name the XML namespaces of Word (ECMA-376 part 1, 17) and write text into its elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def is_on(mark: etree._Element) -> bool:
    """Return whether a boolean property is true; without a value it is."""
    return mark.get(W + "val", "1") in {"1", "true", "on"}


def write(element: etree._Element, text: str) -> None:
    """Turn an element of a run into a text."""
    element.tag, element.text = W + "t", text
    element.set(_SPACE, "preserve")


def text_beside(element: etree._Element, text: str) -> etree._Element:
    """Return a new text element for the run that contains `element`."""
    written: etree._Element = element.makeelement(W + "t")
    write(written, text)
    return written


def replace(element: etree._Element, text: str) -> None:
    """Replace an element of a run by text; without text it stays."""
    parent = element.getparent()
    if parent is not None and text:
        parent.replace(element, text_beside(element, text))

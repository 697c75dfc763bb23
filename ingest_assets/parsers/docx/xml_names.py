"""Names of WordprocessingML (ECMA-376 part 1, 17), and text put into a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def is_on(mark: etree._Element) -> bool:
    """Tell whether a property that is there is true, which it is without a value."""
    return mark.get(W + "val", "1") in {"1", "true", "on"}


def write(element: etree._Element, text: str) -> None:
    """Make an element of a run the text of it."""
    element.tag, element.text = W + "t", text
    element.set(_SPACE, "preserve")


def text_beside(element: etree._Element, text: str) -> etree._Element:
    """Make a text for the run that an element stands in."""
    written: etree._Element = element.makeelement(W + "t")
    write(written, text)
    return written


def replace(element: etree._Element, text: str) -> None:
    """Put text, if it is any, in the place of an element of a run."""
    parent = element.getparent()
    if parent is not None and text:
        parent.replace(element, text_beside(element, text))

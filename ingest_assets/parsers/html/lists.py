"""Write the numbers of ordered lists into the text of their items, counted as a browser does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest_assets.parsers.building.numbers import list_label

if TYPE_CHECKING:
    from lxml import etree

_STYLE = re.compile(r"list-style(?:-type)?\s*:\s*([\w\s-]+)", re.IGNORECASE)
_INTEGER = re.compile(r"\s*([+-]?\d{1,9})(?!\d)")
_UNMARKED = {"none", "disc", "circle", "square"}
_KINDS = {
    "lower-alpha": "a",
    "lower-latin": "a",
    "upper-alpha": "A",
    "upper-latin": "A",
    "lower-roman": "i",
    "upper-roman": "I",
}
# Elements inside an item whose text is not the item's own; no number is written into them.
_APART = {"ol", "ul", "dl", "table", "img", "pre", "li"}


def number(root: etree._Element) -> None:
    """Number the items in place (HTML, 4.4.5 and 15.3.7); lists in cells of tables are not numbered."""
    for element in root.iter("ol"):
        if any(True for _ in element.iterancestors("td", "th")):
            continue
        kind = _kind(element)
        items = [child for child in element if child.tag == "li"]
        is_reversed = element.get("reversed") is not None
        count = _integer(element.get("start"), default=len(items) if is_reversed else 1)
        for item in items:
            count = _integer(item.get("value"), default=count)
            if kind not in _UNMARKED and _named(item) not in _UNMARKED:
                _put(item, f"{list_label(count, kind)}.")
            count += -1 if is_reversed else 1


def _kind(element: etree._Element) -> str:
    named = _named(element)
    return _KINDS.get(named) or named or element.get("type", "1")


def _named(element: etree._Element) -> str:
    """Return the list style that an element's CSS names, or "" where it names none that is known."""
    style = _STYLE.search(element.get("style", ""))
    words = style[1].lower().split() if style else []
    return next((word for word in words if word in _UNMARKED or word in _KINDS), "")


def _integer(text: str | None, *, default: int) -> int:
    found = _INTEGER.match(text or "")
    return int(found[1]) if found else default


def _put(item: etree._Element, mark: str) -> None:
    """Write a mark before the first words of an item, unless it begins with a list, a table or a picture."""
    from lxml import etree

    for event, node in etree.iterwalk(item, events=("start", "end")):
        if event == "start":
            if node is not item and node.tag in _APART:
                return
            if node.text and node.text.strip():
                node.text = _marked(node.text, mark)
                return
        elif node is not item and node.tail and node.tail.strip():
            node.tail = _marked(node.tail, mark)
            return


def _marked(text: str, mark: str) -> str:
    is_written = re.match(rf"{re.escape(mark)}(?!\d)", text.lstrip())
    return text if is_written else f"{mark} {text.lstrip()}"

"""Read a paragraph of an OpenDocument file: its text, and the notes and frames anchored in it."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from ingest_assets.parsers.building import superscripts
from ingest_assets.parsers.opendocument.package import DRAW, OFFICE, TEXT

if TYPE_CHECKING:
    from lxml import etree

# Comments, ruby text over a word, and marks without text.
_SKIPPED = {OFFICE + "annotation", OFFICE + "annotation-end", TEXT + "ruby-text", OFFICE + "event-listeners"}
_SPACES = {TEXT + "tab": "\t", TEXT + "line-break": "\n"}
_MAX_SPACES = 100
# No document counts further than ten digits, and `int` raises on thousands of them.
_MAX_DIGITS = 10


class ParagraphText:
    """Text, notes and frames of one paragraph; `raised` are the names of the character styles for superscripts."""

    def __init__(self, paragraph: etree._Element, *, raised: Container[str] = ()) -> None:
        self._raised = raised
        self._pieces: list[str] = []
        self.notes: list[etree._Element] = []
        self.frames: list[etree._Element] = []
        self._walk(paragraph)
        self.text = superscripts.marked("".join(self._pieces)).strip()

    def _walk(self, node: etree._Element) -> None:
        self._pieces.append(node.text or "")
        for child in node:
            tag = child.tag
            if tag == TEXT + "s":
                self._pieces.append(" " * min(_MAX_SPACES, number(child, TEXT + "c", default=1)))
            elif tag in _SPACES:
                self._pieces.append(_SPACES[tag])
            elif tag == TEXT + "note":
                self.notes.append(child)
            elif isinstance(tag, str) and tag.startswith(DRAW) and tag != DRAW + "a":
                self.frames.append(child)
            elif isinstance(tag, str) and tag not in _SKIPPED:
                if child.get(TEXT + "style-name") in self._raised:
                    self._pieces.append(superscripts.RAISED)
                self._walk(child)
            self._pieces.append(child.tail or "")


def number(node: etree._Element, name: str, *, default: int) -> int:
    """Return the number in an attribute, or the default where it is not a number."""
    value = node.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS else default

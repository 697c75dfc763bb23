"""Return the text of an XML element on one line, with entities, notes, superscripts and line breaks written out.

The functions change the tree they are given.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import TYPE_CHECKING

from ingest_assets.parsers.building import superscripts
from ingest_assets.parsers.html import tree as html_tree

if TYPE_CHECKING:
    from lxml import etree

# RSS 2.0 and Atom (RFC 4287, 3.1) contain HTML pages as text.
_FEEDS = {"rss", "feed", "rdf"}
_OF_FEEDS = {"content", "description", "encoded", "summary"}
_MARKUP = re.compile(r"</(?:a|b|div|em|h[1-6]|i|li|p|span|strong|td)>|<(?:br|img|p)\b[^<>]*>", re.IGNORECASE)
# Notes inside a sentence; entries for the index, and readings that an editor has corrected (TEI).
_NOTES = ("{*}footnote", "{*}fn", "{*}note")
_UNREAD = ("{*}indexterm", "{*}sic", "{*}orig", "{*}abbr")
_LINE_ENDS = ("{*}br", "{*}lb", "{*}break", "{*}pb", "{*}tab")


def name(element: etree._Element) -> str:
    """Return the name of an element in lower case, without its namespace."""
    return str(element.tag).rpartition("}")[2].lower()


def holds_text(element: etree._Element) -> bool:
    """Return whether text stands directly in an element, as far as it has been parsed."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def row(element: etree._Element) -> str:
    """Join the cells of a row with "|", empty ones too; a row without cells is its text."""
    _resolve(element)
    if holds_text(element) or not len(element):
        return text(element)
    cells = [text(cell).replace("|", "\\|") for cell in element]
    return " | ".join(cells) if any(cells) else ""


def _resolve(element: etree._Element) -> None:
    """Replace HTML's named entities by their characters; other entities stay as they are written."""
    from lxml import etree

    for entity in [*element.iter(etree.Entity)]:
        written = entity.text or ""
        entity.tail = html5.get(written.removeprefix("&"), written) + (entity.tail or "")
        html_tree.remove(entity)


def text(element: etree._Element) -> str:
    """Return the text of an element on one line; in a feed, text that is HTML is read as HTML."""
    _resolve(element)
    superscripts.mark(element)
    for note in element.iter(*_NOTES):
        if note is not element and "".join(map(str, note.itertext())).strip():
            note.text = f" ({note.text or ''}"
            note.tail = f"){note.tail or ''}"
    for unread in [*element.iter(*_UNREAD)]:
        if unread is not element and (name(unread) == "indexterm" or name(unread.getparent()) == "choice"):
            html_tree.remove(unread)
    for end in element.iter(*_LINE_ENDS):
        end.tail = f" {end.tail or ''}"
    words = " ".join("".join(str(text) for text in element.itertext()).split())
    if name(element) in _OF_FEEDS and _MARKUP.search(words) and name(element.getroottree().getroot()) in _FEEDS:
        page = html_tree.parse(words)
        html_tree.prepare(page)
        return html_tree.inner_text(page)
    return words

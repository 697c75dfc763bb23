"""An XML document in, whether it is data and not prose out; and what an element of data says of itself.

In prose, attributes are for machines. In orders, settings and tracks they are what the document says.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.parsers import xml_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml import etree

_LOOKED_AT = 5_000
_PROSE = {
    *("article", "book", "chapter", "dita", "document", "feed", "html", "nitf", "package", "rdf", "rss", "svg", "tei"),
    *("teicorpus", "tmx", "topic", "xliff"),
}
_PARAGRAPHS = {"p", "para", "simpara", "ab", "sec", "section", "li", "tr", "row"}
_OF_XML = ("{http://www.w3.org/XML/1998/namespace}", "{http://www.w3.org/2001/XMLSchema-instance}")


def is_data(ends: Iterable[etree._Element]) -> bool:
    """Tell data by its first elements, as they end: none of them is a paragraph, or has text beside others in it."""
    for number, element in enumerate(islice(ends, _LOOKED_AT)):
        root = element.getroottree().getroot()
        if number == 0 and xml_words.name(root) in _PROSE:
            return False
        if xml_words.name(element) in _PARAGRAPHS or (len(element) and xml_words.holds_text(element)):
            return False
    return True


def said(element: etree._Element) -> str:
    """Return an element's attributes as fields, but for those that are XML's own."""
    from lxml import etree

    own = ((str(name), str(value)) for name, value in element.attrib.items())
    shown = ((name, value) for name, value in own if value.strip() and not name.startswith(_OF_XML))
    return ", ".join(f"{etree.QName(name).localname}: {value}" for name, value in shown)

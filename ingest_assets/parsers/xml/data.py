"""Tell XML that holds data from XML that holds prose, and write out the attributes of data.

Attributes of prose are meant for programs. In data (orders, settings, GPS tracks) they are the content.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.parsers.xml import words as xml_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml import etree

_LOOKED_AT = 5_000
# One element in 20: a remark with a bold word does not turn a price list into prose.
_RARELY = 20
_PROSE = {
    *("article", "book", "chapter", "dita", "document", "feed", "html", "nitf", "package", "rdf", "rss", "svg", "tei"),
    *("teicorpus", "tmx", "topic", "xliff"),
}
_PARAGRAPHS = {"p", "para", "simpara", "ab", "sec", "section", "li", "tr", "row"}
_OF_XML = ("{http://www.w3.org/XML/1998/namespace}", "{http://www.w3.org/2001/XMLSchema-instance}")


def is_data(ends: Iterable[etree._Element]) -> bool:
    """Return whether almost none of the first 5,000 elements is a paragraph or mixes text with elements.

    `ends` are the elements in the order in which they end.
    """
    seen = of_prose = 0
    for element in islice(ends, _LOOKED_AT):
        if not seen and xml_words.name(element.getroottree().getroot()) in _PROSE:
            return False
        seen += 1
        inside = any(isinstance(child.tag, str) for child in element)
        has_text = xml_words.holds_text(element)
        of_prose += (has_text and inside) or ((has_text or inside) and xml_words.name(element) in _PARAGRAPHS)
    return of_prose * _RARELY <= seen


def attribute_text(element: etree._Element) -> str:
    """Return the attributes of an element as "name: value" pairs, without those of XML itself (xml:, xsi:)."""
    from lxml import etree

    # With XPath, because lxml's `items()` looks up each value from the first attribute on: quadratic time.
    own = ((value.attrname, str(value)) for value in element.xpath("@*"))
    shown = ((name, value) for name, value in own if value.strip() and not name.startswith(_OF_XML))
    return ", ".join(f"{etree.QName(name).localname}: {value}" for name, value in shown)

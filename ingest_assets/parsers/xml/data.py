"""An XML document in, whether it is data and not prose out; and what an element of data says of itself.

In prose, attributes are for machines. In orders, settings and tracks they are what the document says.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.parsers.xml import words as xml_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml import etree

_LOOKED_AT = 5_000
_RARELY = 20  # one in so many: a remark with a word in bold makes no prose of a price list
_PROSE = {
    *("article", "book", "chapter", "dita", "document", "feed", "html", "nitf", "package", "rdf", "rss", "svg", "tei"),
    *("teicorpus", "tmx", "topic", "xliff"),
}
_PARAGRAPHS = {"p", "para", "simpara", "ab", "sec", "section", "li", "tr", "row"}
_OF_XML = ("{http://www.w3.org/XML/1998/namespace}", "{http://www.w3.org/2001/XMLSchema-instance}")


def is_data(ends: Iterable[etree._Element]) -> bool:
    """Tell data by its first elements, as they end: next to none is a paragraph, or has text beside others in it."""
    seen = of_prose = 0
    for element in islice(ends, _LOOKED_AT):
        if not seen and xml_words.name(element.getroottree().getroot()) in _PROSE:
            return False
        seen += 1
        inside = any(isinstance(child.tag, str) for child in element)
        has_text = xml_words.holds_text(element)
        of_prose += (has_text and inside) or ((has_text or inside) and xml_words.name(element) in _PARAGRAPHS)
    return of_prose * _RARELY <= seen


def said(element: etree._Element) -> str:
    """Return an element's attributes as fields, but for those that are XML's own."""
    from lxml import etree

    # By XPath: lxml's own ways look each of them up, from the first one on.
    own = ((value.attrname, str(value)) for value in element.xpath("@*"))
    shown = ((name, value) for name, value in own if value.strip() and not name.startswith(_OF_XML))
    return ", ".join(f"{etree.QName(name).localname}: {value}" for name, value in shown)

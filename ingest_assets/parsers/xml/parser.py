"""Read an XML document: each element that directly contains text becomes one paragraph.

No schema is needed. An element with text in it is a paragraph, whatever its name, together with the mark-up inside it.
In data, which have no running text, attributes are read too (`data.py`). `title` and `head` are headings in JATS,
DocBook, TEI and most other schemas. Nothing outside the file is read (no DTD, entity or stylesheet), and libxml2's
limits on depth and size stay on.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.xml import data as xml_data
from ingest_assets.parsers.xml import words as xml_words
from ingest_assets.records import ElementType, Part

if TYPE_CHECKING:
    from lxml import etree

VERSION = "4"
PART = "block of text"

_GUARDED = {
    **dict.fromkeys(("resolve_entities", "load_dtd", "huge_tree"), False),
    **dict.fromkeys(("no_network", "remove_comments", "remove_pis", "recover"), True),
}
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE | re.ASCII)
_TITLES = {"title", "head", "heading", "article-title", "book-title"}
_SECTIONS = {"sec", "section", "chapter", "div", "part", "app", "abstract", "sect1", "sect2", "sect3", "ack"}
_ITEMS = {"li", "item", "listitem", "list-item"}
_ROWS = {"tr", "row"}
# Mark-up inside a sentence, which is never a paragraph of its own.
_INLINE = {
    *("b", "bold", "i", "italic", "em", "emphasis", "strong", "u", "sup", "sub"),
    *("sc", "xref", "ext-link", "uri", "a", "span", "ref", "hi", "code", "tt", "monospace"),
}
_CODE = {"programlisting", "screen", "literallayout"}
_FIELD_CHARS = 80
_NOT_TEXT = {"script", "style", "tex-math", "alternatives"}


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the text in parts of some 32,000 characters.

    Raises:
        BadInput: not well-formed from the beginning.
    """
    builder = PartBuilder(limits=limits, start=start)
    with closing(_ends(path)) as ends:
        walk = _Walk(is_data=xml_data.is_data(ends))
    pieces = walk.paragraphs(path)
    first = next(pieces, None)
    if first is None:
        walk = _Walk(is_data=True)  # the document has attributes only
        pieces = walk.paragraphs(path)
    for type_, text, level in _joined(chain([first] if first else [], pieces)):
        builder.add(type_, text, level=level)
        if builder.is_full:
            yield from builder.flush()
    if walk.damage and builder.number == 0 and not builder.elements:
        raise BadInput(f"cannot be read as XML ({walk.damage}); upload it again")
    yield from builder.rest()
    if walk.damage:
        yield from builder.flush(problem=f"the XML is damaged ({walk.damage}); text may be missing from there on")


def _joined(pieces: Iterator[tuple[ElementType, str, int]]) -> Iterator[tuple[ElementType, str, int]]:
    """Join consecutive short texts: names, numbers and dates are the fields of a record, not paragraphs."""
    fields: list[str] = []
    size = 0
    for type_, text, level in pieces:
        is_field = (
            type_ is ElementType.NARRATIVE_TEXT and len(text) < _FIELD_CHARS and not text.endswith((".", "?", "!", ":"))
        )
        if fields and (not is_field or size > 500):
            yield ElementType.NARRATIVE_TEXT, ", ".join(fields), 0
            fields, size = [], 0
        if is_field:
            fields.append(text)
            size += len(text)
        else:
            yield type_, text, level
    if fields:
        yield ElementType.NARRATIVE_TEXT, ", ".join(fields), 0


class _Walk:
    """Read a document in one pass, keeping only the open elements and the current paragraph of its tree."""

    def __init__(self, *, is_data: bool) -> None:
        self._is_data = is_data
        self._path: list[str] = []
        self.damage = ""
        """The first error that the parser recovered from, or ""; set when the document has been read."""

    def paragraphs(self, path: Path) -> Iterator[tuple[ElementType, str, int]]:
        from lxml import etree

        is_empty = True
        with _source(path) as (source, codec):
            events = etree.iterparse(source, events=("start", "end"), encoding=codec, **_GUARDED)
            try:
                for event, element in events:
                    is_empty = False
                    if event == "start":
                        self._path.append(xml_words.name(element))
                        if self._is_data and (fields := xml_data.attribute_text(element)):
                            yield ElementType.NARRATIVE_TEXT, f"{self._path[-1]}: {fields}", 0
                    else:
                        yield from self._end(element)
                        self._path.pop()
            except etree.XMLSyntaxError as error:
                if is_empty:
                    raise BadInput(f"cannot be read as XML ({error}); upload it again") from error
                self.damage = str(error)
            self.damage = self.damage or _first_error(events)
        if is_empty:
            raise BadInput("cannot be read as XML: it holds no element; upload it again")

    def _end(self, element: etree._Element) -> Iterator[tuple[ElementType, str, int]]:
        """Yield the paragraph that ends with this element, unless it is part of a paragraph that is still open."""
        parent = element.getparent()
        name = self._path[-1]
        if (name in _INLINE and parent is not None) or any(map(xml_words.holds_text, element.iterancestors())):
            return
        is_row = name in _ROWS
        if not is_row and any(open_ in _ROWS for open_ in self._path[:-1]):
            return
        if parent is not None and not (parent.text or "").strip():
            yield from self._left_before(element, parent)
        text = xml_words.row(element) if is_row else xml_words.text(element)
        if text and name in _CODE:
            yield ElementType.CODE, "".join(map(str, element.itertext())).strip("\n"), 0
        elif text and name not in _NOT_TEXT:
            yield self._typed(name, text)
        element.clear(keep_tail=True)

    def _left_before(self, element: etree._Element, parent: etree._Element) -> Iterator[tuple[ElementType, str, int]]:
        """Remove the elements before this one; mark-up that was not part of a sentence becomes a paragraph."""
        left = []
        while (previous := element.getprevious()) is not None and not (previous.tail or "").strip():
            left.append(xml_words.text(previous) if xml_words.name(previous) not in _NOT_TEXT else "")
            parent.remove(previous)
        if text := " ".join(filter(None, reversed(left))):
            yield ElementType.NARRATIVE_TEXT, text, 0

    def _typed(self, name: str, text: str) -> tuple[ElementType, str, int]:
        if name in _TITLES and len(text) < 300:
            depth = sum(open_ in _SECTIONS for open_ in self._path[:-1])
            return ElementType.TITLE, text, min(6, depth + 1)
        if name in _ITEMS or any(open_ in _ITEMS for open_ in self._path[-3:-1]):
            return ElementType.LIST_ITEM, text, 0
        return ElementType.NARRATIVE_TEXT, text, 0


def _ends(path: Path) -> Generator[etree._Element, None, None]:
    """Yield the elements as they end; clear their children to keep memory small."""
    from lxml import etree

    with _source(path) as (source, codec), suppress(etree.XMLSyntaxError):
        for _, element in etree.iterparse(source, encoding=codec, **_GUARDED):
            yield element
            for child in element:
                child.clear(keep_tail=True)


@contextmanager
def _source(path: Path) -> Iterator[tuple[BinaryIO | _AsUtf8, str | None]]:
    """Open the source for libxml2 and give its encoding; None where libxml2 detects the encoding itself.

    libxml2 refuses a file for one byte that the declared encoding does not have, and reads UTF-8 where none is
    declared. Therefore it reads files in Unicode itself, and all others are decoded for it.
    """
    with path.open("rb") as file:
        found = _DECLARED.match(file.read(200))
        file.seek(0)
        declared = found[1].decode("ascii") if found else ""
        codec = encoding.detect(path, declared=declared)
        if codec.startswith(("utf-16", "utf-32")) or (declared and not encoding.declared_codec(declared)):
            yield file, None
        elif codec in {"utf-8", "utf-8-sig"}:
            yield file, "utf-8"
        else:
            with closing(_AsUtf8(path, codec)) as source:
                yield source, "utf-8"


class _AsUtf8:
    """Read a file of any encoding as UTF-8."""

    def __init__(self, path: Path, codec: str) -> None:
        self._blocks = encoding.decode(path, codec)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; b"" at the end."""
        while not self._rest and (block := next(self._blocks, None)) is not None:
            self._rest = block.encode()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def close(self) -> None:
        """Close the file."""
        self._blocks.close()


def _first_error(events: etree.iterparse[Any]) -> str:
    """Return the first error that the parser recovered from, or ""; unknown entities do not count."""
    for error in events.error_log:
        if error.type_name not in {"ERR_UNDECLARED_ENTITY", "WAR_UNDECLARED_ENTITY"}:
            return f"line {error.line}: {error.message}"
    return ""

"""Read an EPUB book: its title and authors, then each chapter as a page of HTML."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.epub import package as epub_package
from ingest_assets.parsers.epub.package import Book, Chapter
from ingest_assets.parsers.html import parser as html
from ingest_assets.parsers.html import tree as html_tree
from ingest_assets.records import ElementType, Part

if TYPE_CHECKING:
    from lxml import etree

VERSION = "4"
PART = "block of text"

# The tree of a chapter takes some ten times its size.
_MAX_CHAPTER_BYTES = 50_000_000
# XHTML closes an empty element with "/>", which a parser of HTML ignores: the rest of the page would be inside it.
_CLOSED = re.compile(r"<(?!(?:area|base|br|col|hr|img|image|input|link|meta)\b)([a-zA-Z][\w:-]*)((?:\s[^<>]*?)?)/>")


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield each chapter in parts of some 32,000 characters.

    Raises:
        BadInput: damaged, locked, a bomb, or no EPUB book.
    """
    builder = PartBuilder(limits=limits, start=start)
    with epub_package.opened(path, limits=limits) as book:
        builder.add(ElementType.TITLE, book.title, level=1)
        builder.add(ElementType.NARRATIVE_TEXT, ", ".join(book.authors))
        builder.depth = 1
        for chapter in book.chapters():
            try:
                yield from _add(book, chapter, builder=builder)
            except BadInput as error:
                builder.warn(f"a chapter was left out: {error}")
            if builder.elements:
                yield from builder.flush()
    yield from builder.rest()


def _add(book: Book, chapter: Chapter, *, builder: PartBuilder) -> Iterator[Part]:
    data = book.data(chapter.name)
    if len(data) > _MAX_CHAPTER_BYTES:
        raise BadInput(f"{chapter.name} has {len(data) / 1e6:,.0f} MB, over {_MAX_CHAPTER_BYTES / 1e6:,.0f} MB")
    text = encoding.decode_bytes(data, declared=html.declared_encoding(data))
    root = html_tree.parse(_CLOSED.sub(r"<\1\2></\1>", text))
    _unwrap_drawings(root)
    if chapter.label and root.find(".//h1") is None and root.find(".//h2") is None and root.find(".//h3") is None:
        builder.add(ElementType.TITLE, chapter.label, level=1)
    find = partial(_find, book, posixpath.dirname(chapter.name))
    yield from html.add(root, builder=builder, find=find)


def _unwrap_drawings(root: etree._Element) -> None:
    """Replace an SVG drawing by the picture in it; covers are often made this way."""
    for drawing in [*root.iter("svg")]:
        for image in drawing.iter("image"):
            source = next((value for name, value in image.items() if name.rpartition(":")[2].endswith("href")), "")
            html_tree.replace(drawing, drawing.makeelement("img", src=source))
            break


def _find(book: Book, base: str, url: str) -> Callable[[], bytes] | None:
    if re.match(r"[a-z][a-z0-9+.-]*:", url, re.IGNORECASE):
        return None
    name = book.resolve(base, url)
    return partial(_picture, book, name) if book.has(name) else None


def _picture(book: Book, name: str) -> bytes:
    try:
        return book.data(name)
    except BadInput:
        return b"damaged"

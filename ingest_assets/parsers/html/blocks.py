"""Split a tree of HTML into blocks and add them to a part builder as elements.

A block is a heading, a paragraph, a list, a piece of code, or text that stands in no paragraph. `unstructured` chooses
the type of each block.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote_to_bytes

from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.html import lists as html_lists
from ingest_assets.parsers.html import tables as html_tables
from ingest_assets.parsers.html import tree as html_tree
from ingest_assets.parsers.unstructured_elements import level_of, type_of
from ingest_assets.records import ElementType

if TYPE_CHECKING:
    from lxml import etree

# One call of unstructured takes some milliseconds, however short its input.
_BATCH_CHARS = 16_000
# libxml2 refuses text nodes above 10 MB; a "block" of a million characters is not prose anyway.
_MAX_BLOCK_CHARS = 1_000_000
_LEAVES = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "ul", "ol", "dl", "math"])
_DATA_URI = re.compile(r"\s*data:(image/[\w.+-]+)?((?:;[^;,]*)*),", re.IGNORECASE)


FindPicture: TypeAlias = Callable[[str], Callable[[], bytes] | None]
_Kept: TypeAlias = list[list[str]] | bytes | str | Callable[[], bytes]


def add(root: etree._Element, *, builder: PartBuilder, find: FindPicture | None = None) -> Iterator[None]:
    """Add the blocks of a page to the builder, and yield after each batch, so that the caller can close a part.

    `find` returns, for the URL of a picture, a function that reads it, or None where the file has no such picture. The
    function is called when the picture is added.
    """
    html_tree.prepare(root)
    placeholders = _Placeholders(root, find)
    batch: list[str] = []
    size = 0
    for block in _blocks(root, _with_blocks_inside(root)):
        if len(block) > _MAX_BLOCK_CHARS:
            _add_batch(batch, placeholders, builder=builder)
            batch, size = [], 0
            builder.add(ElementType.NARRATIVE_TEXT, html_tree.inner_text(html_tree.parse(block)))
            yield
            continue
        batch.append(block)
        size += len(block)
        if size >= _BATCH_CHARS:
            _add_batch(batch, placeholders, builder=builder)
            batch, size = [], 0
            yield
    _add_batch(batch, placeholders, builder=builder)
    yield


class _Placeholders:
    """Take tables and pictures out of the tree, and leave an <img src="ours:N"> as the placeholder of each."""

    def __init__(self, root: etree._Element, find: FindPicture | None) -> None:
        self._kept: list[_Kept] = []
        self._find = find or (lambda _: None)
        for table in [*root.iter("table")]:
            if html_tables.is_layout(table):
                _turn_into_blocks(table)
        html_lists.number(root)
        for image in [*root.iter("img")]:
            self._replace_image(image)
        for table in [*root.iter("table")]:
            if table.getparent() is not None and not any(True for _ in table.iterancestors("table")):
                self._replace_table(table)

    def add(self, url: str, *, builder: PartBuilder) -> None:
        """Add the table or picture of a placeholder."""
        kept = self._kept[int(url.removeprefix("ours:"))]
        if isinstance(kept, bytes):
            builder.add_picture(kept, name="an embedded picture")
        elif callable(kept):
            builder.add_picture(kept(), name="an embedded picture")
        elif isinstance(kept, str):
            builder.add(ElementType.NARRATIVE_TEXT, kept)
        else:
            builder.add_table(kept)

    def _replace_image(self, image: etree._Element) -> None:
        """Keep a picture of a `data:` URI or of the file; replace any other by its alt text (it is not fetched)."""
        source = image.get("src") or image.get("data-src") or ""
        kept = _data(source) or self._find(source)
        if kept:
            html_tree.replace(image, self._marker(kept))
            return
        span = image.makeelement("span")
        span.text = f" {image.get('alt') or ''} "
        html_tree.replace(image, span)

    def _replace_table(self, table: etree._Element) -> None:
        box = table.makeelement("div")
        for caption in table.findall("caption"):
            paragraph = table.makeelement("p")
            paragraph.text = html_tree.inner_text(caption)
            box.append(paragraph)
        box.append(self._marker(html_tables.rows_of(table)))
        for picture in [*table.iter("img")]:
            picture.tail = None
            box.append(picture)
        html_tree.replace(table, box)

    def _marker(self, kept: _Kept) -> etree._Element:
        from lxml import etree

        self._kept.append(kept)
        return etree.Element("img", src=f"ours:{len(self._kept) - 1}")


def _data(uri: str) -> bytes:
    match = _DATA_URI.match(uri[:200])
    if match is None:
        return b""
    body = uri[match.end() :]
    if ";base64" not in (match[2] or "").lower():
        return unquote_to_bytes(body)
    body = re.sub(r"%[0-9A-Fa-f]{2}", lambda code: chr(int(code[0][1:], 16)), body) if "%" in body[:10_000] else body
    letters = re.sub(r"[^A-Za-z0-9+/]", "", body)
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        return b"damaged"


def _turn_into_blocks(table: etree._Element) -> None:
    table.tag = "div"
    for row in html_tables.own_rows(table):
        row.tag = "div"
        for cell in row:
            cell.tag = "div"
    for group in table:
        if group.tag in {"thead", "tbody", "tfoot", "caption"}:
            group.tag = "div"


def _with_blocks_inside(root: etree._Element) -> set[etree._Element]:
    """Find the elements that contain a block or a picture, and so are not a single paragraph."""
    found: set[etree._Element] = set()
    for element in root.iter(*(html_tree.BLOCKS - {"br"}), "img"):
        if element.tag == "img" and not (element.get("src") or "").startswith("ours:"):
            continue
        parent = element.getparent()
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parent.getparent()
    return found


def _blocks(node: etree._Element, containers: set[etree._Element]) -> Iterator[str]:
    """Yield the blocks of a container as HTML; text outside of any block becomes a paragraph."""
    from lxml import etree

    run = [escape(node.text or "", quote=False)]
    for child in node:
        is_block = child.tag in _LEAVES or child.tag in html_tree.BLOCKS - {"br"} or child.tag == "img"
        if not is_block and child not in containers:
            run.append(etree.tostring(child, encoding="unicode", method="html", with_tail=True))
            continue
        yield from _paragraph(run)
        run = [escape(child.tail or "", quote=False)]
        # unstructured recognises a list item only inside a list.
        if child.tag == "li":
            yield f"<ul>{etree.tostring(child, encoding='unicode', method='html', with_tail=False)}</ul>"
        elif child.tag in _LEAVES or child.tag == "img":
            yield etree.tostring(child, encoding="unicode", method="html", with_tail=False)
        else:
            yield from _blocks(child, containers)
    yield from _paragraph(run)


def _paragraph(run: list[str]) -> Iterator[str]:
    text = "".join(run)
    if text.strip():
        yield f"<p>{text}</p>"


def _add_batch(batch: list[str], placeholders: _Placeholders, *, builder: PartBuilder) -> None:
    if not batch:
        return
    from ingest_assets.parsers.html.unstructured_html import partition_html

    for element in partition_html(text=f"<body>{''.join(batch)}</body>", languages=[""]):
        url = element.metadata.image_url or ""
        if url.startswith("ours:"):
            placeholders.add(url, builder=builder)
        elif element.category != "Image":
            builder.add(type_of(element), element.text, level=level_of(element))

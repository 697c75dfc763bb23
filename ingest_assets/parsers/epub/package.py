"""Open an EPUB book and list its chapters in reading order.

`META-INF/container.xml` names the package document, whose spine gives the order and whose manifest lists the members
(EPUB 3.3). The table of contents (NCX or nav) names chapters that have no heading. A book is refused as
locked if `META-INF/encryption.xml` lists a chapter; a book with encrypted fonts only is read.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.contract import Limits

if TYPE_CHECKING:
    from lxml import etree

_CHAPTERS = {"application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/x-dtbook+xml"}
# The package document of a book with 5,000 chapters has some megabytes.
_MAX_TREE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: one member of the book."""

    name: str
    label: str
    """Its name in the table of contents, or ""."""


class Book:
    """Read the members of an open book whose directory was checked."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = dict.fromkeys(archive.namelist())
        opf = self._package_document()
        root = self._tree(opf)
        if root is None:
            raise BadInput("no EPUB book: its package document (OPF) is missing or damaged; save it again")
        self.title = next((text for text in map(_words, _all(root, "title")) if text), "")
        self.authors = [text for text in map(_words, _all(root, "creator")) if text]
        self._base = posixpath.dirname(opf)
        self._items = {item.get("id", ""): item for item in _all(root, "item")}
        self._spine = [
            self._items[ref] for ref in (i.get("idref", "") for i in _all(root, "itemref")) if ref in self._items
        ]

    def chapters(self) -> Iterator[Chapter]:
        """Yield the chapters in the order of the spine or, where that is empty, of the manifest."""
        labels = self._labels()
        items = self._spine or [item for item in self._items.values() if item.get("media-type") in _CHAPTERS]
        seen: set[str] = set()
        for item in items:
            name = self.resolve(self._base, item.get("href", ""))
            if item.get("media-type") in _CHAPTERS and name not in seen:
                seen.add(name)
                yield Chapter(name, labels.get(name, ""))

    def refuse_locked(self) -> None:
        """Refuse a book with encrypted chapters.

        Raises:
            BadInput: a chapter is encrypted.
        """
        root = self._tree("META-INF/encryption.xml")
        if root is None:
            return
        locked = {self.resolve("", node.get("URI", "")) for node in _all(root, "CipherReference")}
        if any(chapter.name in locked for chapter in self.chapters()):
            raise BadInput("the book is encrypted (DRM); upload it without a lock")

    def has(self, name: str) -> bool:
        """Return whether the book has a member of this name."""
        return name in self._names

    def data(self, name: str) -> bytes:
        """Return the bytes of a member, or b"" where it is missing.

        Raises:
            BadInput: the member is damaged.
        """
        if name not in self._names:
            return b""
        try:
            return self._archive.read(name)
        except zip_safety.ZIP_ERRORS as error:
            raise BadInput(f"{name} in it is damaged ({error})") from error

    @staticmethod
    def resolve(base: str, href: str) -> str:
        """Return the name of the member that a link in the folder `base` points to."""
        return posixpath.normpath(posixpath.join(base, unquote(href.partition("#")[0]))).lstrip("/")

    def _package_document(self) -> str:
        root = self._tree("META-INF/container.xml")
        named = [node.get("full-path", "") for node in _all(root, "rootfile")] if root is not None else []
        found = [name for name in self._names if name.lower().endswith(".opf")]
        return next((name for name in (*named, *found) if name in self._names), "")

    def _tree(self, name: str) -> etree._Element | None:
        from lxml import etree

        if name not in self._names or self._archive.getinfo(name).file_size > _MAX_TREE_BYTES:
            return None
        # Old books have a document type definition (NCX, OEB 1.2). It is not loaded, and entities are not resolved.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        try:
            return etree.fromstring(self._archive.read(name), parser)
        except (etree.XMLSyntaxError, ValueError, *zip_safety.ZIP_ERRORS):
            return None

    def _labels(self) -> dict[str, str]:
        """Read the table of contents: the first label of each member."""
        labels: dict[str, str] = {}
        for item in self._items.values():
            is_ncx = item.get("media-type") == "application/x-dtbncx+xml"
            if not is_ncx and "nav" not in item.get("properties", "").split():
                continue
            name = self.resolve(self._base, item.get("href", ""))
            root = self._tree(name)
            for node in _all(root, "navPoint" if is_ncx else "a") if root is not None else ():
                link, label = _entry(node, is_ncx=is_ncx)
                labels.setdefault(self.resolve(posixpath.dirname(name), link), label)
        return labels


@contextmanager
def opened(path: Path, *, limits: Limits) -> Iterator[Book]:
    """Open a book and check it.

    Raises:
        BadInput: truncated, locked, a bomb, or no EPUB book.
    """
    with zip_safety.opened(path) as archive:
        zip_safety.check(archive, limits=limits)
        book = Book(archive)
        book.refuse_locked()
        yield book


def _entry(node: etree._Element, *, is_ncx: bool) -> tuple[str, str]:
    if not is_ncx:
        return node.get("href", ""), _words(node)
    content = next((child.get("src", "") for child in node if _local(child) == "content"), "")
    return content, next((_words(child) for child in node if _local(child) == "navLabel"), "")


def _all(root: etree._Element, name: str) -> list[etree._Element]:
    return [node for node in root.iter() if _local(node) == name]


def _local(node: etree._Element) -> str:
    return str(node.tag).rpartition("}")[2] if isinstance(node.tag, str) else ""


def _words(node: etree._Element) -> str:
    return " ".join("".join(map(str, node.itertext())).split())

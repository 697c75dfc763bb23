"""Open an OpenDocument file (a zip) safely and read its members.

`content.xml` contains the document, and the manifest names what is encrypted (OpenDocument 1.3, part 2). The limits are
those of every package (`building/zip_safety.py`); XML with a document type definition is refused, and entities are not
resolved.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.contract import Limits

if TYPE_CHECKING:
    from lxml import etree

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW, STYLE, PRESENTATION = (
    f"{{{_OASIS}{name}:1.0}}" for name in ("office", "text", "table", "drawing", "style", "presentation")
)
HREF = "{http://www.w3.org/1999/xlink}href"
# Depth of the pages, sheets or paragraphs: below office:document-content, office:body and office:text.
CHILD_DEPTH = 4

_MANIFEST_BYTES = 10_000_000


class OdfPackage:
    """Read the members of an open package whose directory was checked."""

    def __init__(self, archive: zipfile.ZipFile, *, limits: Limits) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self._limits = limits

    def data(self, name: str) -> bytes:
        """Return the bytes of the member that a link names; b"" where there is none, b"damaged" for a damaged one."""
        name = name.removeprefix("./")
        if name not in self._names:
            return b""
        try:
            return self._archive.read(name)
        except zip_safety.ZIP_ERRORS:
            return b"damaged"

    def tree(self, name: str) -> etree._Element | None:
        """Parse a small member; return None where it is missing, too large or damaged."""
        from lxml import etree

        if name not in self._names or self._archive.getinfo(name).file_size > zip_safety.MAX_XML_BYTES:
            return None
        try:
            zip_safety.refuse_doctype(self._archive, self._archive.getinfo(name))
            return zip_safety.parse_xml(self._archive.read(name))
        except (BadInput, etree.XMLSyntaxError, *zip_safety.ZIP_ERRORS):
            return None

    def events(self, *, whole: bool) -> Iterator[tuple[str, etree._Element, int]]:
        """Yield "start" or "end", the element and its depth (1 for the root) for the elements of `content.xml`.

        The caller frees the elements it has read. `whole` says that it keeps too many for a file of any size, so that
        the size is limited.

        Raises:
            BadInput: not well-formed or damaged; what stands before the damage has been yielded.
        """
        from lxml import etree

        member = self._archive.getinfo("content.xml")
        if whole:
            zip_safety.check_xml_size(member)
        depth = 0
        try:
            zip_safety.refuse_doctype(self._archive, member)
            with self._archive.open(member) as file:
                options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
                for event, element in etree.iterparse(file, events=("start", "end"), remove_pis=True, **options):
                    if event == "start":
                        depth += 1
                    yield event, element, depth
                    if event == "end":
                        depth -= 1
        except (etree.XMLSyntaxError, *zip_safety.ZIP_ERRORS) as error:
            raise BadInput(f"the file is damaged or truncated ({error}); save or upload it again") from error

    def count(self, name: str) -> int:
        """Count the pages or sheets: the elements of this name directly in the document.

        Raises:
            BadInput: damaged, or more of them than the limit of pages.
        """
        found = 0
        try:
            for event, element, depth in self.events(whole=False):
                found += event == "start" and depth == CHILD_DEPTH and element.tag == name
                if event == "end":
                    forget(element)
        except BadInput:
            # The pages before the damage are read, and the damage becomes a part with a problem.
            if not found:
                raise
        if found > self._limits.max_pages:
            raise BadInput(f"it has {found:,} pages or sheets, over the limit of {self._limits.max_pages:,}; split it")
        return found


def forget(element: etree._Element) -> None:
    """Free an element that has been read, and its preceding siblings."""
    parent = element.getparent()
    element.clear(keep_tail=True)
    while parent is not None and element.getprevious() is not None:
        parent.remove(element.getprevious())


@contextmanager
def opened(path: Path, *, limits: Limits) -> Iterator[OdfPackage]:
    """Open a package and check it.

    Raises:
        BadInput: truncated, encrypted, a bomb, or no OpenDocument file.
    """
    with zip_safety.opened(path) as archive:
        zip_safety.check(archive, limits=limits)
        _refuse_encrypted(archive)
        if "content.xml" not in archive.namelist():
            raise BadInput("no OpenDocument file: content.xml is missing; save it again from its program")
        yield OdfPackage(archive, limits=limits)


def _refuse_encrypted(archive: zipfile.ZipFile) -> None:
    if "META-INF/manifest.xml" not in archive.namelist():
        return
    try:
        with archive.open("META-INF/manifest.xml") as file:
            manifest = file.read(_MANIFEST_BYTES)
    except zip_safety.ZIP_ERRORS:
        return  # the document can be read without it
    if re.search(rb"<(?:[\w.-]+:)?encryption-data\b", manifest):
        raise BadInput("the document is encrypted; upload it without a password")

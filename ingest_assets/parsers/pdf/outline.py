"""Read the bookmarks of a PDF: which titles are on each page, and their levels.

If a document has an outline, its headings need not be guessed from font sizes: a text that equals a bookmark, on the
page to which the bookmark leads, is a heading of the bookmark's level. Bookmarks may have or omit the numbers of the
headings, so both are also compared without numbers.

Some programs write all bookmarks on one level. Then the numbers in them define the levels: "2.3.1" is below "2.3".
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from pypdfium2 import PdfBookmark, PdfDocument

MAX_BOOKMARKS = 20_000  # as many as the pages that are read of one file
MAX_LEVEL = 6
_MAX_TITLE_CHARS = 400
_MIN_CHARS = 3  # shorter titles, as "A" in an index, occur anywhere on a page

_NUMBER = re.compile(
    r"^\W*(?:(?:chapter|section|part|appendix|exhibit|kapitel|teil|anhang|chapitre|capítulo)\s+)?"
    r"(?:[§\d][\d.\-–]*|[IVXLC]{1,6}\.|[A-Z]\.(?:\d[\d.]*)?)[.:)]*\s+(?:\([\d\-./]+\)\s*)?",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"^\W*(\d{1,4}(?:\.\d{1,4})*)\.?\s")


class _Bookmark(NamedTuple):
    title: str
    page_number: int
    depth: int


Outline: TypeAlias = Mapping[int, Mapping[str, int]]
"""By page number: the level of each title on the page, which is written as by `folded`."""


def read_outline(pdf: PdfDocument) -> Outline:
    """Read the outline of a document, at most its first 20,000 bookmarks and six levels; empty if it has none."""
    entries = list(islice(_entries(pdf), MAX_BOOKMARKS))
    levels = _levels(entries)
    outline: dict[int, dict[str, int]] = {}
    for entry, level in zip(entries, levels, strict=True):
        on_page = outline.setdefault(entry.page_number, {})
        for title in (folded(entry.title), folded(_unnumbered(entry.title))):
            if len(title) >= _MIN_CHARS:
                on_page.setdefault(title, level)
    return outline


def outline_level(text: str, on_page: Mapping[str, int]) -> int:
    """Return the level of a text in the outline of its page, 1 for the outermost, or 0 if it is not in it."""
    if not on_page or len(text) > _MAX_TITLE_CHARS:
        return 0
    return on_page.get(folded(text), 0) or on_page.get(folded(_unnumbered(text)), 0)


def folded(text: str) -> str:
    """Reduce a text to its letters and digits, because bookmarks may lack hyphens, spaces and ligatures."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _unnumbered(text: str) -> str:
    return _NUMBER.sub("", text, count=1)


def _entries(pdf: PdfDocument) -> Iterator[_Bookmark]:
    for bookmark in _walk(pdf, None, depth=0, seen=set()):
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        title = _title(bookmark)
        if index is not None and index >= 0 and title.strip():
            yield _Bookmark(title, index + 1, bookmark.level)


def _title(bookmark: PdfBookmark) -> str:
    """Return a bookmark's title without invalid characters; "" if it is too long."""
    import pypdfium2.raw as raw

    size = raw.FPDFBookmark_GetTitle(bookmark.raw, None, 0)
    if not 2 < size <= 2 * (_MAX_TITLE_CHARS + 1):
        return ""
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFBookmark_GetTitle(bookmark.raw, buffer, size)
    return buffer.raw[: size - 2].decode("utf-16-le", "ignore")


def _walk(pdf: PdfDocument, parent: Any, *, depth: int, seen: set[int]) -> Iterator[PdfBookmark]:
    """Yield bookmarks in order, and stop at one that was yielded already.

    pypdfium2's own iterator logs a warning for each bookmark that is too deep.
    """
    import pypdfium2.raw as raw
    from pypdfium2 import PdfBookmark

    handle = raw.FPDFBookmark_GetFirstChild(pdf.raw, parent)
    while handle:
        address = ctypes.addressof(handle.contents)
        if address in seen or len(seen) >= MAX_BOOKMARKS:
            return
        seen.add(address)
        yield PdfBookmark(handle, pdf, depth)
        if depth + 1 < MAX_LEVEL:
            yield from _walk(pdf, handle, depth=depth + 1, seen=seen)
        handle = raw.FPDFBookmark_GetNextSibling(pdf.raw, handle)


def _levels(entries: list[_Bookmark]) -> list[int]:
    """Return each entry's level: its depth in the outline, or the depth of its number if all depths are equal."""
    if len({entry.depth for entry in entries}) > 1:
        return [min(entry.depth + 1, MAX_LEVEL) for entry in entries]
    numbers = [_DOTTED.match(entry.title) for entry in entries]
    dots = [number[1].count(".") if number else None for number in numbers]
    fewest = min((count for count in dots if count is not None), default=0)
    return [1 if count is None else min(1 + count - fewest, MAX_LEVEL) for count in dots]

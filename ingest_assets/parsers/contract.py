"""Define what every parser does: read a file and yield its parts, one at a time.

A part is the smallest piece that can be read alone. Where it begins and ends depends on the bytes of the file only, so
a run with a smaller window, or a run that continues after a crash, yields the same elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest_assets.records import Part


@dataclass(slots=True)
class Unpacked:
    """Count the documents inside one file and their bytes so far, on all levels of nesting together."""

    documents: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Limit what is read from one file, because nothing that the file says about itself is trusted."""

    max_pages: int = 20_000
    """A file with more pages, slides or sheets is refused."""
    max_picture_pixels: int = 40_000_000
    """A larger picture is left out with a warning; it is not decoded."""
    max_pictures: int = 2_000
    """Distinct pictures per file; the others are left out with a warning."""
    max_unpacked_bytes: int = 1_000_000_000
    """Unpacked bytes of an archive, and of all documents inside a file, on all levels of nesting together."""
    max_archive_ratio: int = 200
    """Largest ratio of unpacked to packed size of a member above 10 MB; a higher ratio is a decompression bomb."""
    max_part_chars: int = 2_000_000
    """Characters of one part; a parser begins another part before it reaches them."""
    max_documents: int = 2_000
    """Documents inside one file (attachments, members of an archive), on all levels; the others are left out."""
    max_nesting: int = 5
    """Levels of documents inside documents; deeper ones are left out with a warning."""
    unpacked: Unpacked | None = None
    """For a document inside another one: the count that all documents of the outer file share."""
    unread: frozenset[int] = frozenset()
    """Numbers of the parts that do not fit in memory even alone; nothing of them is read."""
    before_part: Callable[[int], None] | None = None
    """Called with the number of a part before it is read: a part that exhausts the memory is then known by number."""


class Parser(Protocol):
    """Read one family of formats. The parser modules of this package implement it."""

    VERSION: str
    """Changed whenever the same bytes yield other parts."""
    PART: str
    """What one part is, in messages to people: page, slide, block of rows, block of text."""

    def read(self, path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
        """Yield the parts from number `start` on, holding one in memory at a time.

        Elements have no section (the parse stage derives it from titles and levels). Text is NFC with line ends "\\n".
        A part contains the pictures that stand in it, with their data; a picture of an earlier part may be repeated or
        left out, because the parse stage keeps each picture once.

        Raises:
            BadInput: the file cannot be read at all. A single part that cannot be read is yielded with a `problem`.
        """
        ...


class PagedParser(Parser, Protocol):
    """Parse a format that has pages, slides or sheets. The parser of a flowing format has no `count_pages`."""

    def count_pages(self, path: Path, *, limits: Limits) -> int:
        """Count pages, slides or sheets without reading them.

        Raises:
            BadInput: the file cannot be opened (truncated, encrypted, too many pages), with the reason.
        """
        ...

"""What every parser promises: a path in, parts out, one at a time.

A part is the smallest piece that can be read alone. Its boundaries depend on the bytes only, so that a run with a
smaller window, or one that goes on after a crash, yields the same elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest_assets.records import Part


@dataclass(slots=True)
class Unpacked:
    """What the documents inside of one file have come to so far, on all levels together."""

    documents: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a file may claim: nothing in it is trusted."""

    max_pages: int = 20_000
    """More pages, slides or sheets than this: the file is refused."""
    max_picture_pixels: int = 40_000_000
    """A larger picture is left out with a warning, before it is decoded."""
    max_pictures: int = 2_000
    """Distinct pictures per file; the rest is left out with a warning."""
    max_unpacked_bytes: int = 1_000_000_000
    """Sum of an archive's members unpacked, and of all documents inside of a file, on all levels together."""
    max_archive_ratio: int = 200
    """Unpacked over packed size of an archive's member above 10 MB: more is a bomb."""
    max_part_chars: int = 2_000_000
    """Text of one part; a parser splits before it."""
    max_documents: int = 2_000
    """Documents inside of one file (attachments, members of an archive), on all levels; the rest is left out."""
    max_nesting: int = 5
    """Levels of documents inside of documents; what lies deeper is left out with a warning."""
    unpacked: Unpacked | None = None
    """For a document that lies in another one: the count that it shares with the others."""
    unread: frozenset[int] = frozenset()
    """Parts that do not fit in memory even alone: nothing about them is looked at."""
    in_hand: Callable[[int], None] | None = None
    """Told the number of a part before it is read out of turn, so that what explodes has a name."""


class Parser(Protocol):
    """One family of formats. Modules of this package fit it."""

    VERSION: str
    """Goes up whenever the same bytes yield other parts."""
    PART: str
    """What one part is, for a person: page, slide, block of rows, block of text."""

    def read(self, path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
        """Yield the parts from number `start` on, holding one in memory at a time.

        Elements carry no section (the parse stage derives it from titles and levels). Text is NFC; line ends are
        "\\n". A part has the pictures that stand in it, with their data; one that came with an earlier part may be
        left out or come again, the parse stage keeps it once.

        Raises:
            BadInput: the file as a whole is unreadable. A part that cannot be read is yielded with its `problem`.
        """
        ...


class PagedParser(Parser, Protocol):
    """A parser of a format that has pages, slides or sheets; a parser of a format that flows has no `count_pages`."""

    def count_pages(self, path: Path, *, limits: Limits) -> int:
        """Count pages, slides or sheets without reading them.

        Raises:
            BadInput: the file cannot be opened (truncated, encrypted, too many pages), with the reason.
        """
        ...

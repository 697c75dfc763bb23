"""Read a file part by part, give each element its section, and keep each picture once.

The parser sees one part at a time and remembers nothing of those before. This module remembers what concerns the whole
document: the titles above an element, and the pictures already seen. Both are rebuilt from the parts that an earlier
attempt finished, so a run that continues after a crash yields the same parts as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ingest_assets.parsers.contract import Limits, Parser
from ingest_assets.records import Element, ElementType, Part, Picture

VERSION = "1"

# Parts that are pages of the document, with the page's number.
PAGES = {"page", "slide"}


def parse(
    path: Path,
    *,
    parser: Parser,
    limits: Limits,
    keep: Callable[[str, bytes], None],
    finished: Iterable[Part] = (),
) -> Iterator[Part]:
    """Yield the parts after the finished ones; `keep` takes each new picture's bytes under its sha256.

    Parts in `limits.unread` are not read: they are yielded with their problem.

    Raises:
        BadInput: the file as a whole cannot be read.
    """
    headings = _Headings()
    seen: set[str] = set()
    room = limits.max_pictures
    last = Part(0)
    for part in finished:
        last = part
        seen.update(picture.sha256 for picture in part.pictures)
        room -= _count(part.pictures)
        for element in part.elements:
            headings.place(element)
    for part in _parts(parser, path, limits=limits, after=last):
        fresh = [picture for picture in part.pictures if picture.sha256 not in seen]
        taken, too_many = (fresh, []) if _count(fresh) <= room else (fresh[:room], fresh[room:])
        seen.update(picture.sha256 for picture in taken)
        room -= _count(taken)
        yield replace(
            part,
            elements=tuple(headings.place(element) for element in part.elements),
            pictures=tuple(_kept(picture, keep) for picture in taken),
            warnings=part.warnings + _left_out(too_many, limits),
        )


def _parts(parser: Parser, path: Path, *, limits: Limits, after: Part) -> Iterator[Part]:
    start = after.number + 1
    for number in sorted(number for number in limits.unread if number >= start):
        for after in islice(parser.read(path, limits=limits, start=start), number - start):
            yield after
        problem = _does_not_fit(parser, number, after=after)
        yield Part(number, page_number=number if parser.PART in PAGES else None, problem=problem)
        start = number + 1
    yield from parser.read(path, limits=limits, start=start)


def _does_not_fit(parser: Parser, number: int, *, after: Part) -> str:
    sheet = f" of sheet {after.page_number}" if after.page_number else ""
    place = f", behind row {after.last_row}{sheet}," if after.last_row else ""
    return (
        f"{parser.PART} {number}{place} needs more memory than the run's cap, even alone; it was left unread: "
        f"raise the cap and materialise the file again, or split the {parser.PART}"
    )


class _Headings:
    """The titles above the next element."""

    def __init__(self) -> None:
        self._titles: list[tuple[int, str]] = []

    def place(self, element: Element) -> Element:
        """Give an element its section; a title belongs below the titles of smaller levels before it."""
        if element.type is ElementType.TITLE:
            level = max(1, element.level)
            self._titles = [title for title in self._titles if title[0] < level]
        placed = replace(element, section=tuple(text for _, text in self._titles))
        if element.type is ElementType.TITLE:
            self._titles.append((level, element.text))
        return placed


def _count(pictures: Sequence[Picture]) -> int:
    """Count the pictures that `max_pictures` limits: not those that are whole pages, which `max_pages` limits."""
    return sum(not picture.is_page for picture in pictures)


def _kept(picture: Picture, keep: Callable[[str, bytes], None]) -> Picture:
    keep(picture.sha256, picture.data)
    return replace(picture, data=b"")


def _left_out(pictures: list[Picture], limits: Limits) -> tuple[str, ...]:
    if not pictures:
        return ()
    return (f"{len(pictures)} pictures left out: the file has more than {limits.max_pictures:,} distinct ones",)

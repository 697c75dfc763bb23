"""A document inside a file (an attachment, a member of an archive) in, parts of that file out, under its name as title.

Each is read by its own family's parser from a temporary file, so a bomb in an attachment meets the bounds that it would
meet alone; what all of them come to, on all levels, is counted in one place. One that cannot be read is a warning that
names it and the reason: it costs the others nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO

from ingest_assets.errors import BadInput
from ingest_assets.parsers import families
from ingest_assets.parsers.building import zip_safety
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits, Parser, Unpacked
from ingest_assets.parsers.detection import media_type
from ingest_assets.records import ElementType, Part

_BLOCK_BYTES = 1 << 20
# A name is a title, and is cut where no file system would have taken it.
_MAX_NAME_CHARS = 255


class Documents:
    """Reads the documents inside of one file into the parts of its builder."""

    def __init__(self, *, builder: PartBuilder, limits: Limits) -> None:
        self._builder = builder
        self._unpacked = limits.unpacked or Unpacked()
        self._limits = replace(limits, unpacked=self._unpacked)

    def parts(self, source: IO[bytes], *, name: str, level: int, is_titled: bool = True) -> Iterator[Part]:
        """Yield the parts of a document; titles in it stand below its name, which is a title of `level` if at all."""
        name = " ".join(name.split())[:_MAX_NAME_CHARS] or "without a name"
        if self._builder.elements:
            yield from self._builder.flush()
        depth, self._builder.depth = self._builder.depth, self._builder.depth + level
        try:
            self.count()
            with tempfile.NamedTemporaryFile(prefix="ingest-") as file:
                self._copy(source, file)
                file.flush()
                yield from self._read(Path(file.name), name=name, is_named=not is_titled)
        except BadInput as error:
            self.warn(name, error)
        finally:
            self._builder.depth = depth

    def deeper(self) -> Documents:
        """Give what reads the documents of a document that stands in the same file, a forwarded mail."""
        return Documents(builder=self._builder, limits=replace(self._limits, max_nesting=self._limits.max_nesting - 1))

    def count(self) -> None:
        """Count one more document.

        Raises:
            BadInput: too deep inside of others, or too many in all.
        """
        self._unpacked.documents += 1
        if self._limits.max_nesting < 1:
            raise BadInput("too many levels of documents inside of documents; upload it on its own")
        if self._unpacked.documents > self._limits.max_documents:
            raise BadInput(f"the file holds more than {self._limits.max_documents:,} documents")

    def warn(self, name: str, error: BadInput) -> None:
        """Name a document that is left out, and why."""
        self._builder.warn(f"{name} was left out: {str(error).removeprefix(f'{name}: ')}")

    def _copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        while block := _block(source):
            self._unpacked.size_bytes += len(block)
            if self._unpacked.size_bytes > self._limits.max_unpacked_bytes:
                limit = f"{self._limits.max_unpacked_bytes / 1e6:,.0f} MB"
                raise BadInput(f"the documents inside of the file come to more than {limit}")
            target.write(block)

    def _read(self, path: Path, *, name: str, is_named: bool) -> Iterator[Part]:
        builder = self._builder
        parser = families.parser_for(media_type.detect(path, filename=name), filename=name)
        for part in _parts(parser, path, limits=self._inner_limits()):
            if part.problem:
                yield from builder.flush(problem=f"{name}: {part.problem}")
                continue
            if not is_named and part.elements:
                builder.depth -= 1
                builder.add(ElementType.TITLE, name, level=1)
                builder.depth += 1
                is_named = True
            builder.take(part, name=name)
            yield from builder.flush()

    def _inner_limits(self) -> Limits:
        """Give the bounds for a document inside; it is told apart which of the file's parts are its own."""
        before, mark = self._builder.number, self._limits.in_hand
        return replace(
            self._limits,
            max_nesting=self._limits.max_nesting - 1,
            unread=frozenset(number - before for number in self._limits.unread if number > before),
            in_hand=(lambda number: mark(before + number)) if mark else None,
        )


def _block(source: IO[bytes]) -> bytes:
    try:
        return source.read(_BLOCK_BYTES)
    except zip_safety.ZIP_ERRORS as error:
        raise BadInput(f"damaged ({error})") from error


def _parts(parser: Parser, path: Path, *, limits: Limits) -> Iterator[Part]:
    """Yield a document's parts, without looking at those that do not fit in memory."""
    start = 1
    total = families.count_pages(parser, path, limits=limits) if parser.PART in {"page", "slide"} else limits.max_pages
    for number in sorted(number for number in limits.unread if number <= total):
        found = 0
        for part in islice(parser.read(path, limits=limits, start=start), number - start):
            found += 1
            yield part
        if found < number - start:
            return  # the part lies in a later document
        yield Part(number, problem=f"{parser.PART} {number} needs more memory than the run's cap; it was left unread")
        start = number + 1
    yield from parser.read(path, limits=limits, start=start)

"""Read the documents inside a file (attachments of a mail, members of an archive), each under its name.

Each document is read from a temporary file by the parser of its own family, so it meets the same limits as a file that
was uploaded alone. Documents and bytes are counted once for all levels of nesting. A document that cannot be read
becomes a warning with its name and the reason; the other documents are read.
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
# A name becomes a title. Longer names than file systems allow are cut.
_MAX_NAME_CHARS = 255


class EmbeddedDocuments:
    """Read the documents inside one file into the parts of its builder."""

    def __init__(self, *, builder: PartBuilder, limits: Limits) -> None:
        self._builder = builder
        self._unpacked = limits.unpacked or Unpacked()
        self._limits = replace(limits, unpacked=self._unpacked)

    def parts(self, source: IO[bytes], *, name: str, level: int, is_titled: bool = True) -> Iterator[Part]:
        """Yield the parts of a document. Its name becomes a title of `level`, unless `is_titled` is false.

        The levels of its own titles are counted from that level.
        """
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

    def deeper(self) -> EmbeddedDocuments:
        """Return a reader one nesting level deeper, for a mail forwarded inside this one."""
        return EmbeddedDocuments(
            builder=self._builder, limits=replace(self._limits, max_nesting=self._limits.max_nesting - 1)
        )

    def count(self) -> None:
        """Count one more document.

        Raises:
            BadInput: it is nested too deep, or the file contains too many documents.
        """
        self._unpacked.documents += 1
        if self._limits.max_nesting < 1:
            raise BadInput("too many levels of documents inside of documents; upload it on its own")
        if self._unpacked.documents > self._limits.max_documents:
            raise BadInput(f"the file holds more than {self._limits.max_documents:,} documents")

    def warn(self, name: str, error: BadInput) -> None:
        """Warn that a document was left out, with its name and the reason."""
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
        """Return the limits of an inner document; numbers of parts are translated to its own numbering."""
        before, mark = self._builder.number, self._limits.before_part
        return replace(
            self._limits,
            max_nesting=self._limits.max_nesting - 1,
            unread=frozenset(number - before for number in self._limits.unread if number > before),
            before_part=(lambda number: mark(before + number)) if mark else None,
        )


def _block(source: IO[bytes]) -> bytes:
    try:
        return source.read(_BLOCK_BYTES)
    except zip_safety.ZIP_ERRORS as error:
        raise BadInput(f"damaged ({error})") from error


def _parts(parser: Parser, path: Path, *, limits: Limits) -> Iterator[Part]:
    """Yield the parts of a document; those that do not fit in memory are skipped unread."""
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

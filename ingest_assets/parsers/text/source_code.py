"""Read source code as blocks of code that end before an unindented line that follows a blank one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.text.plain import lines
from ingest_assets.records import ElementType, Part

VERSION = "2"
PART = "block of text"

# A screen or two of code, which people read together.
_BLOCK_CHARS = 2_000
# A longer block is cut even where no definition begins.
_MAX_BLOCK_CHARS = 8_000


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the code in parts of some 32,000 characters that end with a block.

    Raises:
        BadInput: empty, or binary data.
    """
    builder = PartBuilder(limits=limits, start=start)
    for block in _blocks(lines(encoding.decode(path, encoding.detect(path)))):
        builder.add(ElementType.CODE, block)
        if builder.is_full:
            yield from builder.flush()
    yield from builder.rest()


def _blocks(source: Iterable[str]) -> Iterator[str]:
    """Yield blocks; each begins with an unindented line that follows a blank one."""
    block: list[str] = []
    size = 0
    for line in source:
        begins = bool(line) and not line[0].isspace() and bool(block) and not block[-1].strip()
        if block and ((size > _BLOCK_CHARS and begins) or size > _MAX_BLOCK_CHARS):
            yield "\n".join(block)
            block, size = [], 0
        block.append(line.rstrip())
        size += len(line) + 1
    if block:
        yield "\n".join(block)

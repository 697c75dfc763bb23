"""Read rich text (RTF): paragraphs, headings, list items, tables, notes and pictures.

The reader keeps a stack of groups and no tree, so it reads a file of any size in limited memory and refuses a file of a
million nested braces. The maintained libraries that were found give the bare text only (striprtf 0.0.35).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.rtf.reader import RtfReader
from ingest_assets.parsers.rtf.tokens import tokens
from ingest_assets.records import Part

VERSION = "2"
PART = "block of text"


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the text in parts of some 32,000 characters that end with a paragraph.

    Raises:
        BadInput: groups nested too deep, or no RTF.
    """
    with path.open("rb") as file:
        if not file.read(5).startswith(b"{\\rtf"):
            raise BadInput("no rich text: it does not begin with {\\rtf; save it again from its program")
    builder = PartBuilder(limits=limits, start=start)
    with path.open("rb") as file:
        yield from add(file, builder=builder)
    yield from builder.rest()


def add(file: IO[bytes], *, builder: PartBuilder) -> Iterator[Part]:
    """Add a text to a builder and yield each full part; the rest stays in the builder.

    Raises:
        BadInput: groups nested too deep.
    """
    reader = RtfReader(builder)
    for token in tokens(file):
        reader.read(token)
        if builder.is_full and reader.is_between_blocks:
            yield from builder.flush()
    if reader.close():
        builder.warn("the text is cut off: its last group is not closed; save or upload it again")

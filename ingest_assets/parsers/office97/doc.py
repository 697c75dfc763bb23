"""Read a Word document of 1995 to 2003 (DOC): paragraphs, tables, notes and pictures.

The file is an OLE file. Its text is read from the piece table, and its tables from the marks at the ends of cells.
Formatting is not read, so headings are paragraphs. Pictures follow the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.parsers.building.damage import naming_damage
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.office97 import office_pictures
from ingest_assets.parsers.office97.doc_pieces import Stories, stories
from ingest_assets.records import ElementType, Part

if TYPE_CHECKING:
    from olefile import OleFileIO

VERSION = "1"
PART = "block of text"

_WHAT = "a Word document"
# Marks of a field: before its instruction, before its result, and at its end.
_FIELD = re.compile("([\x13\x14\x15])")
_MARKS = str.maketrans({"\x0b": "\n", "\x1e": "\u2011", "\x1f": ""})
_PARAGRAPH = re.compile(r"[^\r\x07\x0c\x0e]*[\r\x07\x0c\x0e]?")
# Word allows 63 cells in a row.
_MAX_CELLS = 64
_MAX_ROWS = 200


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the text in parts of some 32,000 characters.

    Raises:
        BadInput: damaged, encrypted, or no Word document.
    """
    file, texts = _opened(path)
    with file:
        builder = PartBuilder(limits=limits, start=start)
        for _ in _add(texts.main, builder=builder):
            if builder.is_full:
                yield from builder.flush()
        for text, type_ in (
            (texts.footnotes, ElementType.FOOTNOTE),
            (texts.endnotes, ElementType.FOOTNOTE),
            (texts.boxes, ElementType.NARRATIVE_TEXT),
            (texts.headers, ElementType.HEADER),
        ):
            _add_aside(text, type_, builder=builder)
        for picture in _pictures(file):
            builder.add_picture(picture)
    yield from builder.rest()


def _opened(path: Path) -> tuple[OleFileIO, Stories]:
    import olefile

    with naming_damage(_WHAT):
        file = olefile.OleFileIO(str(path))
        try:
            return file, stories(file)
        except BaseException:
            file.close()
            raise


def _add(text: str, *, builder: PartBuilder) -> Iterator[None]:
    """Add paragraphs and tables, and yield where a part may end."""
    rows: list[list[str]] = []
    cells: list[str] = []
    for match in _PARAGRAPH.finditer(_plain(text)):
        piece, mark = match[0].rstrip("\r\x07\x0c\x0e"), match[0][-1:]
        if mark == "\x07" and (piece or not cells or len(cells) < len(rows[-1] if rows else cells)):
            cells.append(piece)
        elif mark == "\x07":
            rows.append(cells)  # a row ends with a mark of its own
            cells = []
        else:
            if rows or cells:
                builder.add_table([*rows, cells])
                rows, cells = [], []
            builder.add(ElementType.NARRATIVE_TEXT, piece)
            yield
        if len(cells) >= _MAX_CELLS or len(rows) >= _MAX_ROWS:
            builder.add_table([*rows, cells])
            rows, cells = [], []
            yield
    builder.add_table([*rows, cells])


def _add_aside(text: str, type_: ElementType, *, builder: PartBuilder) -> None:
    for piece in dict.fromkeys(re.split(r"[\r\x07\x0c]+", _plain(text))):
        builder.add(type_, piece)


def _plain(text: str) -> str:
    """Remove the instructions of fields, and replace Word's own marks by characters."""
    pieces: list[str] = []
    hidden: list[bool] = []  # for each open field, whether the text is still its instruction
    count = 0
    for piece in _FIELD.split(text):
        if piece == "\x13":
            hidden.append(True)
            count += 1
        elif piece in {"\x14", "\x15"}:
            count -= bool(hidden and hidden[-1])
            hidden[-1:] = [False] if hidden and piece == "\x14" else []
        elif not count:
            pieces.append(piece)
    return "".join(pieces).translate(_MARKS)


def _pictures(file: OleFileIO) -> Iterator[bytes]:
    if file.exists("Data"):
        with naming_damage(_WHAT), file.openstream("Data") as stream:
            data = bytes(stream.read())
        yield from office_pictures.pictures(data)

"""Define the input of page layout: pieces of text with their boxes, from a PDF or from OCR."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

TABLE_MARK = "▦"
"""The text of a run that represents a table."""

Rows: TypeAlias = tuple[tuple[str, ...], ...]
"""The texts of a table's cells, row by row."""


class Run(NamedTuple):
    """Words of one line without a wide gap between them; x grows along the line, y upwards, in points."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool = False
    turn: int = 0
    """Quarter turns of the text, counter-clockwise; vertical writing counts as 3."""
    order: int = 0
    """Position in the content of the file, which is often but not always the reading order."""
    spaced: bool = False
    """White space follows in the file."""
    italic: bool = False
    table: Rows = ()
    """The table that this run represents."""

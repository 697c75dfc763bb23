"""Turn the rows of a sheet into parts: Markdown tables of up to 200 rows, each with the first row as its header.

XLSX, XLS and ODS use it; each reads its rows one by one. The pictures and texts that are drawn on a sheet follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.records import ElementType, Part

SheetRow: TypeAlias = tuple[int, dict[int, str]]
"""Number of a row, and its texts by column number, both from 1."""

_PART_ROWS = 200
_PART_CHARS = 100_000
# More rows of one cell than this at the top are a list, not headings.
_MAX_HEADINGS = 5


def parts(
    title: str,
    rows: Iterator[SheetRow],
    *,
    builder: PartBuilder,
    page_number: int,
    drawings: Iterable[bytes | str] = (),
) -> Iterator[Part]:
    """Yield a sheet's parts; `drawings` are pictures (bytes) and texts on the sheet, which follow the rows.

    An exception of the sheet's library becomes the `problem` of the part that was being read.
    """
    builder.add(ElementType.TITLE, title, page_number=page_number, level=1)
    problem = ""
    flushed, last_row = builder.number, 0
    try:
        for header, block, last in _blocks(_without_headings(rows, builder=builder, page_number=page_number)):
            if last_row:
                yield from builder.flush(page_number=page_number, last_row=last_row)
            builder.add_table([header, *block], page_number=page_number)
            last_row = last
        for drawing in drawings:
            _add_drawing(drawing, builder=builder, page_number=page_number)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl and xlrd raise whatever a malformed attribute leads to
        problem = f"sheet {title!r} cannot be read to its end ({type(error).__name__}: {error})"
    if builder.number == flushed:
        builder.drop_lone_title()
    yield from builder.flush(page_number=page_number, problem=problem, last_row=last_row)


def _add_drawing(drawing: bytes | str, *, builder: PartBuilder, page_number: int) -> None:
    if isinstance(drawing, bytes):
        builder.add_picture(drawing, page_number=page_number, name=f"a picture on sheet {page_number}")
    else:
        builder.add(ElementType.NARRATIVE_TEXT, drawing, page_number=page_number)


def _without_headings(rows: Iterator[SheetRow], *, builder: PartBuilder, page_number: int) -> Iterator[SheetRow]:
    """Add single cells above a table as text, and yield the other rows; the first with several cells is the header."""
    held: list[SheetRow] = []
    for row in rows:
        is_single = len(row[1]) == 1
        if is_single and len(held) < _MAX_HEADINGS:
            held.append(row)
            continue
        if is_single:  # so many of them are a list; its first row is the heading
            yield from held
        else:
            for _, heading in held:
                builder.add(ElementType.NARRATIVE_TEXT, " ".join(heading.values()), page_number=page_number)
        yield row
        yield from rows
        return
    yield from held


def _blocks(rows: Iterator[SheetRow]) -> Iterator[tuple[list[str], list[list[str]], int]]:
    """Yield the first row, a block of the others without empty columns, and the number of the block's last row."""
    last, header = next(rows, (0, None))
    if header is None:
        return
    block: list[dict[int, str]] = []
    chars = 0
    sent = False
    for last, row in rows:
        block.append(row)
        chars += sum(map(len, row.values()))
        if len(block) == _PART_ROWS or chars > _PART_CHARS:
            yield *_aligned(header, block), last
            block, chars, sent = [], 0, True
    if block or not sent:
        yield *_aligned(header, block), last


def _aligned(header: dict[int, str], block: list[dict[int, str]]) -> tuple[list[str], list[list[str]]]:
    columns = sorted({column for row in [header, *block] for column in row})
    rows = [[row.get(column, "") for column in columns] for row in [header, *block]]
    return rows[0], rows[1:]

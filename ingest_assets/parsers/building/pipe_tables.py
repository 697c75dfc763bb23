"""Write rows of cells as Markdown pipe tables, the form that every parser gives a table.

The first row is the header. A table that is too long for one element becomes several. Each repeats the header, so
that each can be read alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ingest_assets.parsers.building.cleaning import one_line

# About ten chunks of 3,000 characters: a part stays small, and most tables stay in one piece.
MAX_TABLE_CHARS = 30_000
# Short rows are filled to the width of the table only for readability. Without the limit, one row of a million commas
# would give each other row a million cells.
_MAX_FILLED = 50


def pipe_tables(rows: Iterable[Sequence[str]], *, max_chars: int = MAX_TABLE_CHARS) -> Iterator[str]:
    """Yield the rows as pipe tables of at most about `max_chars`, each with the first row as its header.

    Cells become one line each, "|" is escaped, short rows are filled, and rows without text are skipped.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        return
    width = min(_MAX_FILLED, max(len(row) for row in cells))
    lines = [_line(row, width=width) for row in cells]
    header = f"{lines[0]}\n{_line(['---'] * width, width=width)}"
    yield from _blocks(header, lines[1:], max_chars=max_chars)


def _blocks(header: str, lines: list[str], *, max_chars: int) -> Iterator[str]:
    block: list[str] = []
    size = 0
    for line in lines:
        if block and size + len(line) > max_chars:
            yield "\n".join([header, *block])
            block, size = [], 0
        block.append(line)
        size += len(line)
    yield "\n".join([header, *block])


def _cell(value: str) -> str:
    return one_line(value).replace("|", "\\|")


def _line(row: Sequence[str], *, width: int) -> str:
    return f"| {' | '.join([*row, *[''] * (width - len(row))])} |"

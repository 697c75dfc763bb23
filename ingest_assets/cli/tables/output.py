"""Write to the terminal: text without control characters, tables that fit its width, JSON, notices of long waits."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPE_COLUMNS = 140
"""Width if there is no terminal: a pipe, a log."""
_NOTICE_AFTER_S = 2.0
"""Shorter waits need no notice: every command that opens a store takes a second."""


def columns() -> int:
    """Return the width to write for: COLUMNS, else the terminal's, else that of a pipe."""
    return shutil.get_terminal_size(fallback=(_PIPE_COLUMNS, 0)).columns


def console() -> Console:
    """Open standard output as rich writes to it."""
    from rich.console import Console

    return Console(emoji=False, highlight=False, width=columns())


def print_json(value: object, *, indent: int = 2) -> None:
    """Print a record, or what is made of records, as one JSON document; `indent=0` puts it on one line."""
    import msgspec

    encoded = msgspec.json.encode(value)
    sys.stdout.write((msgspec.json.format(encoded, indent=indent) if indent else encoded).decode() + "\n")
    sys.stdout.flush()


def printable(text: str) -> str:
    """Show control characters instead of letting the name or text of a file control the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def safe(text: str) -> str:
    """Make text printable, so that rich does not read its brackets as markup."""
    from rich.markup import escape

    return escape(printable(text))


def wrapped(text: str, *, indent: str = "") -> str:
    """Break one line of a report between words, the further lines indented; words longer than a line stay whole."""
    return textwrap.fill(
        text, width=columns(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table."""

    name: str
    rank: int = 0
    """Columns of the highest rank are left out first where not all fit; those of rank 0 always stay."""
    justify: Literal["left", "right"] = "right"


def fitting_table(layout: Sequence[TableColumn], rows: Sequence[Sequence[str]]) -> Table:
    """Make a table that fits the width: whole columns are left out, words are not broken.

    Only the first column, for names, is folded, where a name is longer than what the columns of rank 0 leave. Cells
    are rich's markup.
    """
    from rich.table import Table
    from rich.text import Text

    widths = [
        max([len(column.name), *(Text.from_markup(row[place], emoji=False).cell_len for row in rows)])
        for place, column in enumerate(layout)
    ]
    # Half of the width is enough for a name: one long name must not cost every row its figures.
    widths[0] = min(widths[0], columns() // 2)
    kept = list(range(len(layout)))
    while sum(widths[place] + _GAP for place in kept) - _GAP > columns():
        last = max(kept, key=lambda place: (layout[place].rank, place))
        if layout[last].rank == 0:
            break
        kept.remove(last)
    sheet = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for place in kept:
        fold = place == 0
        sheet.add_column(
            layout[place].name,
            justify=layout[place].justify,
            overflow="fold",
            no_wrap=not fold,
            max_width=widths[place],
        )
    for row in rows:
        sheet.add_row(*(row[place] for place in kept))
    return sheet


_GAP = 2
"""Blanks between two columns."""


@contextmanager
def told_if_slow(what: str) -> Iterator[None]:
    """Say on standard error what is being waited for, once it takes longer than a moment."""
    timer = Timer(_NOTICE_AFTER_S, lambda: print(f"{what} …", file=sys.stderr, flush=True))  # noqa: T201
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

"""Join rows in reading order to paragraphs.

A new paragraph begins with a row that has a wider gap above it, is indented, has another font size or begins a list
item, and after a row that ended early although the next word would have fitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest_assets.parsers.page_layout.rows import Flow, Row, is_stretched
from ingest_assets.parsers.page_layout.runs import Rows
from ingest_assets.parsers.page_layout.typography import are_centred
from ingest_assets.parsers.page_layout.words import SOFT_HYPHEN, Words, join

_ITEM = re.compile(
    r"(?:[•●○▪■□◦‣⁃∙·–—*➢✓❖►❑]|\(?\d{1,3}[.)]|\(?[a-z][.)]|\(?[ivx]{1,5}[.)]|[A-Z]\))(?=\s+\S)|[①-⑳](?=\s*\S)"
)
_LEADER = re.compile(r"(?:[.·…]\s?){4,}\s*[\divxlc]+$")
_ENDS = tuple(".!?:;。！？：؟।…")  # characters that end a sentence or introduce what follows
_SAME_SIZE = 0.12  # relative difference: footnotes and headings differ by more, rounding and fallback fonts by less
_SMALLER = 0.95  # times the size of a numbered line: smaller text is below a heading and not part of an item
_LOOSE = 1.35  # times the usual leading of the column: justification adds up to a third of a line

_MAX_INDENT = 5  # ems; a row with a deeper indent than a first line continues a table cell
_RAGGED = 0.08  # of the column's width: unjustified rows end within it
_MAX_LABEL = 6  # characters: "2.1.10", "(iv)", "•"


class Paragraph(NamedTuple):
    """Rows that belong together; x grows along the line, y upwards, in points."""

    text: str
    """Rows that end early on purpose (verse, code, table rows) keep their line end."""
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool
    rows: int
    turn: int = 0
    is_item: bool = False
    is_full: bool = False
    """Its last row reaches the end of the column, so that it may continue in the next column."""
    spaced: bool = False
    """White space follows in the file."""
    is_tabular: bool = False
    """One of its rows has several cells."""
    italic: bool = False
    is_centred: bool = False
    """It is centred in its column."""
    table: Rows = ()
    """The table that it represents."""


def paragraphs(flows: Sequence[Flow], *, words: Words) -> list[Paragraph]:
    """Build the paragraphs of a page; `words` are words of the document, which decide about hyphens at line ends."""
    done: list[Paragraph] = []
    for flow in flows:
        edges = _ends_of(flow)
        found = [_paragraph(rows, edges, words) for rows in _grouped(flow, edges)]
        if done and found and _continue(done, found[0], words):
            found = found[1:]
        done.extend(found)
    return done


def _grouped(flow: Flow, edges: tuple[float, float]) -> Iterator[list[Row]]:
    """Split the rows of a column into paragraphs."""
    leading = _leading(flow)
    group: list[Row] = []
    for i, row in enumerate(flow):
        after = flow[i + 1] if i + 1 < len(flow) else None
        if group and (
            row.table or group[-1].table or _differs(group[-1], row, leading) or _begins(group, row, after, edges)
        ):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _ends_of(flow: Flow) -> tuple[float, float]:
    """Return the least start and the greatest end of a column's rows, in reading direction."""
    starts, ends = zip(*(_span(row) for row in flow), strict=True)
    return min(starts), max(ends)


def _span(row: Row) -> tuple[float, float]:
    return (-row.x1, -row.x0) if row.rtl else (row.x0, row.x1)


def _leading(flow: Flow) -> float:
    """Return the usual distance of baselines in ems: the lower quartile, because gaps only make distances larger."""
    steps = sorted(
        (a.y0 - b.y0) / a.size
        for a, b in pairwise(flow)
        if a.y0 > b.y0 and a.size > 0 and abs(a.size - b.size) <= _SAME_SIZE * a.size
    )
    return min(max(steps[len(steps) // 4], 0.9), 2.5) if steps else 1.2


def _differs(before: Row, row: Row, leading: float) -> bool:
    """Tell whether size, style or distance show that two rows do not belong to one paragraph."""
    step = before.y0 - row.y0
    size = max(before.size, row.size)
    return (
        abs(before.size - row.size) > _SAME_SIZE * size
        or before.bold != row.bold
        or before.rtl != row.rtl
        or step > _LOOSE * leading * size
        or step < -0.5 * size
    )


def _begins(group: list[Row], row: Row, after: Row | None, edges: tuple[float, float]) -> bool:
    """Tell whether the words or the position of a row show that it begins a paragraph."""
    if _ITEM.match(row.text):
        return True
    before, em = group[-1], max(row.size, 1.0)
    if row.size < _SMALLER * before.size and _ITEM.match(group[0].text):
        return True
    if before.text.endswith(("-", SOFT_HYPHEN)) and row.text[:1].islower():
        return False
    ended = _is_short(before, row, edges)
    if ended and (before.text.endswith(_ENDS) or _reaches(row, edges[1])):
        return True
    if abs(before.x0 + before.x1 - row.x0 - row.x1) < em:
        return False  # centred, or the same width
    start, previous = _span(row)[0], _span(before)[0]
    if start < previous - 0.8 * em:
        return ended or (len(group) > 1 and _span(group[0])[0] < previous - 0.8 * em)  # end of a hanging indent
    if not 0.8 * em < start - previous < _MAX_INDENT * em or _ITEM.match(group[0].text):
        return False
    goes_back = after is None or _span(after)[0] < start - 0.5 * em
    return goes_back and (ended or _reaches(row, edges[1]))


def _is_short(row: Row, after: Row, edges: tuple[float, float]) -> bool:
    """Tell whether a row ended although the first word of the next row would have fitted."""
    room = edges[1] - _span(row)[1]
    word = len(after.text.split(" ", 1)[0]) * (after.x1 - after.x0) / max(len(after.text), 1)
    return room > 1.2 * word + 0.5 * row.size and room > _RAGGED * (edges[1] - edges[0])


def _reaches(row: Row, end: float) -> bool:
    return end - _span(row)[1] < 1.5 * row.size


def _is_tabular(row: Row) -> bool:
    """Tell whether a row has cells: runs far apart, except a number before its heading."""
    if is_stretched(row):
        return False
    gaps = [abs(b.x0 - a.x1) for a, b in pairwise(row.cells) if len(a.text) > _MAX_LABEL]
    return any(gap > 1.5 * row.size for gap in gaps) or len(row.cells) > 2


def _paragraph(rows: list[Row], edges: tuple[float, float], words: Words) -> Paragraph:
    text = rows[0].text
    for before, row in pairwise(rows):
        if _is_line(before, row, edges) and not before.text.endswith(("-", SOFT_HYPHEN)):
            text += f"\n{row.text}"
        else:
            text = join(text, row.text, spaced=before.spaced, words=words)
    main = max(rows, key=lambda row: len(row.text))
    return Paragraph(
        text,
        min(row.x0 for row in rows),
        min(row.y0 for row in rows),
        max(row.x1 for row in rows),
        max(row.y1 for row in rows),
        main.size,
        all(row.bold for row in rows),
        len(rows),
        main.turn,
        bool(_ITEM.match(text)),
        edges[1] - _span(rows[-1])[1] < 3 * main.size,
        rows[-1].spaced,
        any(_is_tabular(row) for row in rows),
        all(row.italic for row in rows),
        not rows[0].rtl and are_centred(rows, edges),
        rows[0].table,
    )


def _is_line(row: Row, after: Row, edges: tuple[float, float]) -> bool:
    """Tell whether a row keeps its line end: it ends early, or belongs to a table or a list of contents."""
    return _is_short(row, after, edges) or _is_tabular(after) or bool(_LEADER.search(row.text))


def _continue(done: list[Paragraph], first: Paragraph, words: Words) -> bool:
    """Join a column's first paragraph to the unfinished one of the column before, above its footnotes, if it fits."""
    place = len(done) - 1
    while place > 0 and done[place].size < first.size * (1 - _SAME_SIZE):
        place -= 1
    last = done[place]
    is_alike = abs(last.size - first.size) <= _SAME_SIZE * first.size and last.bold == first.bold
    is_open = last.is_full and last.turn == first.turn and not last.text.endswith((*_ENDS, '"', "”", ")"))
    goes_on = (
        not (first.table or last.table)
        and not first.is_item
        and not first.text[:1].isupper()
        and not first.text[:1].isdigit()
    )
    if not (is_alike and is_open and goes_on):
        return False
    text = join(last.text, first.text, spaced=last.spaced, words=words)
    done[place] = last._replace(text=text, rows=last.rows + first.rows, is_full=first.is_full, spaced=first.spaced)
    return True

"""Find tables that are set without rules, and replace their rows by one row that holds the table.

In such a table several rows have several cells each, and the cells of a column are aligned by their left edges, right
edges or middles. Labels of a drawing are not aligned, and neither are two parts of a line of prose. Two columns are a
table only below a bold header: labels with their values, and terms with their meanings, are better read as lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median, median_low

from ingest_assets.parsers.page_layout.rows import Flow, Row, is_stretched
from ingest_assets.parsers.page_layout.runs import TABLE_MARK, Rows, Run
from ingest_assets.parsers.page_layout.table_cells import are_formulas, text_of

_MIN_ROWS = 3
_MIN_COLUMNS = 3
_TRIES = 3  # one or two lines above a table may look like rows of it
_MAX_WRAPPED = 3  # lines of one cell after its first line
_TIGHT = 1.35  # ems between the baselines of the lines of one cell, at most
_MAX_COLUMNS = 40
_LEADING = 2.4  # ems between the baselines of a table's rows, at most
_IN_LINE = 0.6  # ems; the edges of aligned cells differ by less
_AGREEING = 0.7  # of the cells of a column are aligned, at least
_FILLED = 0.6  # of the cells have text, at least; the labels of a drawing leave more cells empty
_FEW_ROWS, _FEW_FILLED = 5, 0.8  # a table with fewer rows must be fuller
_MIN_IN_COLUMN = 0.3  # of the cells of each column have text, at least
_MOST = 0.6  # of the rows have text in so many of the columns; two columns of prose side by side do not
_MAX_COLUMN_CHARS = 55  # mean length of a column's cells, at most; longer cells are text beside its labels
_MAX_DESCRIPTION_CHARS, _MANY_COLUMNS = 120, 4
_LABEL = re.compile(r"[(\[]?\w{1,3}[.)\]]|[•●○▪■□◦‣–—*]")
_LEADER = re.compile(r"(?:[.·…]\s?){5,}")
_MAX_LED = 0.3  # of the rows have dot leaders, at most; with more it is a list of contents
_NEAR_MOST = 0.75  # of the greatest number of cells: rows with so many define the columns, others may span columns


def with_unruled_tables(flow: Flow) -> Flow:
    """Replace the rows of each table in a column by one row."""
    done: Flow = []
    place = tries = 0
    while place < len(flow):
        end = _end_of(flow, place) if tries < _TRIES or len(flow[place].cells) < 2 else place
        tries = tries + 1 if len(flow[place].cells) > 1 else 0
        above = _header_above(done, flow[place])
        table = _table([*above, *flow[place:end]]) if end - place >= _MIN_ROWS else ()
        if table:
            del done[len(done) - len(above) :]
            done.append(_table_row([*above, *flow[place:end]], table))
            place, tries = end, 0
        else:
            done.append(flow[place])
            place += 1
    return done


def _header_above(done: Flow, first: Row) -> Flow:
    """Return the bold lines above a header's last line that have text in one column only."""
    above: Flow = []
    while len(above) < min(_MAX_WRAPPED, len(done)) and first.bold:
        row = done[-1 - len(above)]
        is_header = row.bold and len(row.cells) == 1 and not row.table and row.turn == 0
        if not is_header or not 0 < row.y0 - first.y0 <= _TIGHT * row.size or abs(row.size - first.size) > 1:
            break
        above.insert(0, row)
        first = row
    return above


def _end_of(flow: Flow, start: int) -> int:
    """Return the place after the last row with several cells that follows `start` without a break."""
    end, last = start, start
    while end < len(flow) and _may_belong(flow[end]) and (end == start or _follows(flow[end - 1], flow[end])):
        end += 1
        if len(flow[end - 1].cells) > 1:
            last = end
        elif end - last > _MAX_WRAPPED or last == start:
            break
    return _after_wrapped(flow, last, end) if last > start else last


def _after_wrapped(flow: Flow, last: int, end: int) -> int:
    """Return the place after the lines that continue a cell of the last row: they are as close as lines of text."""
    while last < end and len(flow[last].cells) == 1 and _goes_on(flow[last - 1], flow[last]):
        last += 1
    return last


def _goes_on(before: Row, row: Row) -> bool:
    is_below = any(abs(cell.x0 - row.x0) < row.size for cell in before.cells[1:] or before.cells)
    return is_below and before.y0 - row.y0 <= _TIGHT * row.size


def _may_belong(row: Row) -> bool:
    return row.turn == 0 and not row.table and not row.rtl


def _follows(before: Row, row: Row) -> bool:
    return 0 < before.y0 - row.y0 <= _LEADING * min(before.size, row.size)


def _table(rows: Sequence[Row]) -> Rows:
    """Put the cells of rows into columns; return nothing if they are not a table."""
    full = [row for row in rows if len(row.cells) > 1]
    columns = _columns(full)
    is_pair = len(columns) == 2 and rows[0].bold and not any(row.bold for row in rows[1:])
    if len(full) < _MIN_ROWS or not (is_pair or _MIN_COLUMNS <= len(columns) <= _MAX_COLUMNS):
        return ()
    are_led = sum(bool(_LEADER.search(row.text)) for row in rows) > _MAX_LED * len(rows)
    if are_led or 2 * sum(map(is_stretched, full)) > len(full):
        return ()
    grid = [_placed(row, columns) for row in full]
    if not _are_in_line(grid[1:], median([row.size for row in full])):
        return ()
    here = 0
    for row in rows:
        if len(row.cells) > 1:
            here = next(i for i, other in enumerate(full) if other is row)
        else:
            grid[here][_column_of(row.cells[0], columns)].append(row.cells[0])
    for _ in range(_header_lines(full) - 1):
        grid[0:2] = [[a + b for a, b in zip(grid[0], grid[1], strict=True)]]
    texts = tuple(tuple(text_of(runs) for runs in row) for row in grid)
    return texts if _reads_as_table(texts) else ()


def _header_lines(rows: Sequence[Row]) -> int:
    """Count the rows that are lines of one header: bold, and as close as lines of text."""
    count = 1
    while (
        count < min(len(rows), _MAX_WRAPPED)
        and rows[count].bold
        and rows[count - 1].y0 - rows[count].y0 <= _TIGHT * rows[count].size
    ):
        count += 1
    return count if rows[0].bold else 1


def _placed(row: Row, columns: Sequence[tuple[float, float]]) -> list[list[Run]]:
    places = [_column_of(cell, columns) for cell in row.cells]
    return [
        [cell for cell, at in zip(row.cells, places, strict=True) if at == column] for column in range(len(columns))
    ]


def _reads_as_table(texts: Rows) -> bool:
    """Tell a table from prose, lists, formulas and labels of a drawing by the text of its cells."""
    width = len(texts[0])
    filled = [text for row in texts for text in row if text]
    rows = sum(sum(map(bool, row)) >= _MOST * width for row in texts)
    columns = [[row[column] for row in texts if row[column]] for column in range(width)]
    return (
        len(filled) >= (_FEW_FILLED if len(texts) < _FEW_ROWS else _FILLED) * len(texts) * width
        and all(len(column) >= _MIN_IN_COLUMN * len(texts) for column in columns)
        and rows >= _MOST * len(texts)
        and _are_short(columns)
        and not are_formulas(filled)
        and (width > _MIN_COLUMNS or not all(_LABEL.fullmatch(text) for text in columns[0]))
        and 2 * sum(any(char.isalnum() for char in text) for text in filled) > len(filled)
    )


def _are_short(columns: Sequence[Sequence[str]]) -> bool:
    """Tell cells from prose by their length; one column of four or more may hold descriptions."""
    means = sorted((sum(map(len, column)) / max(len(column), 1) for column in columns), reverse=True)
    longest = _MAX_DESCRIPTION_CHARS if len(means) >= _MANY_COLUMNS else _MAX_COLUMN_CHARS
    return means[0] <= longest and all(mean <= _MAX_COLUMN_CHARS for mean in means[1:])


def _are_in_line(rows: Sequence[Sequence[Sequence[Run]]], em: float) -> bool:
    width = len(rows[0])
    return all(_stand_in_line([row[column][0] for row in rows if len(row[column]) == 1], em) for column in range(width))


def _columns(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Return the left and right edges of the columns, by the rows with the most cells."""
    most = max(len(row.cells) for row in rows)
    telling = [run for row in rows if len(row.cells) >= _NEAR_MOST * most for run in row.cells]
    columns: list[tuple[float, float]] = []
    for run in sorted(telling, key=lambda run: run.x0):
        if columns and run.x0 < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], run.x1))
        else:
            columns.append((run.x0, run.x1))
    return columns


def _column_of(run: Run, columns: Sequence[tuple[float, float]]) -> int:
    """Return the number of the column that a cell overlaps most, or else is nearest to."""
    return max(range(len(columns)), key=lambda at: min(run.x1, columns[at][1]) - max(run.x0, columns[at][0]))


def _stand_in_line(cells: Sequence[Run], em: float) -> bool:
    """Tell whether most cells of a column are aligned by their left edges, right edges or middles."""
    return len(cells) < 2 or any(
        sum(abs(place - median_low(places)) <= _IN_LINE * em for place in places) >= _AGREEING * len(places)
        for places in (
            [cell.x0 for cell in cells],
            [cell.x1 for cell in cells],
            [(cell.x0 + cell.x1) / 2 for cell in cells],
        )
    )


def _table_row(rows: Sequence[Row], table: Rows) -> Row:
    """Return one row that replaces the rows of a table; it is as high as the first of them."""
    first = rows[0]
    return first._replace(
        text=TABLE_MARK,
        x0=min(row.x0 for row in rows),
        x1=max(row.x1 for row in rows),
        cells=(),
        bold=False,
        italic=False,
        table=table,
    )

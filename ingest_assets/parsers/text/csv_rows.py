"""Read a CSV file as Markdown tables of up to 200 rows, each under the header of the file.

A row with more cells than the table has columns does not fit under the header; it becomes a line of text.

The delimiter is the candidate that splits the first rows most evenly. `csv.Sniffer` is not used, because it chooses a
letter on prose and fails on one column; `unstructured` is not used, because it reads the whole file through pandas.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.text.plain import ROW_ENDS, lines
from ingest_assets.records import ElementType, Part

VERSION = "4"
PART = "block of rows"

# 200 rows of ten short cells are some 10,000 characters: a part of three or four chunks.
_PART_ROWS = 200
_PART_CHARS = 100_000
_DELIMITERS = ",;\t|"
_ESCAPED_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
_NO_DELIMITER = "\x1f"
# Prose under a single heading has commas too, but not the same number of them in each line.
_EVEN, _MOSTLY = 0.6, 0.8
_SAMPLE_LINES = 200
_MAX_TITLES = 5
# Excel itself stops at 32,767 characters a cell.
_FIELD_CHARS = 1_000_000


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield blocks of rows, each as a table under the header; up to five lines of one cell above the header are text.

    Raises:
        BadInput: empty, or binary data.
    """
    builder = PartBuilder(limits=limits, start=start)
    rows = _rows(path)
    sample = list(islice(rows, _SAMPLE_LINES))
    width = _width([row for _, row in sample])
    while width > 1 and len(sample) > 1 and builder.elements < _MAX_TITLES and _filled(sample[0][1]) == 1:
        builder.add(ElementType.NARRATIVE_TEXT, sample.pop(0)[1][0])
    for header, block, last_row in _blocks(chain(sample, rows)):
        _add(header, block, width=width, builder=builder)
        yield from builder.flush(last_row=last_row)
    yield from builder.rest()


def _width(sample: list[list[str]]) -> int:
    """Return the number of columns: that of most of the first rows; of equally frequent numbers, the largest."""
    widths = Counter(map(len, sample))
    return max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))[0]


def _add(header: list[str], block: list[list[str]], *, width: int, builder: PartBuilder) -> None:
    for too_wide, rows in groupby(block, key=lambda row: _filled(row) > max(width, len(header))):
        if too_wide:
            for row in rows:
                builder.add(ElementType.NARRATIVE_TEXT, ",".join(row))
        else:
            builder.add_table(chain([header], rows))
    if not block:
        builder.add_table([header])


def _filled(row: list[str]) -> int:
    """Count the cells of a row up to the last one that is not empty."""
    return max((number for number, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number (from 1) and the cells of each row that has any text."""
    # For the sample as well as for the rows; the default of 131,072 would refuse some real tables.
    csv.field_size_limit(_FIELD_CHARS)
    try:
        source = lines(encoding.decode(path, encoding.detect(path)), ends=ROW_ENDS)
        sample = [line for line, _ in zip(source, range(_SAMPLE_LINES), strict=False)]
        delimiter = _delimiter(sample)
        if sample and sample[0].lower().startswith("sep=") and len(sample[0]) == 5:
            # A line "sep=;" tells Excel the delimiter; it is not part of the table.
            delimiter = sample.pop(0)[4]
        dialect, is_escaped = _dialect(sample, delimiter)
        written = chain(sample, source)
        rows = csv.reader((f"{line}\n" for line in (map(_doubled, written) if is_escaped else written)), **dialect)
        for number, row in enumerate(rows, start=1):
            if any(cell.strip() for cell in row):
                yield number, [_as_text(cell) if cell.startswith("=") else cell for cell in row]
    except csv.Error as error:
        raise BadInput(f"cannot be read as CSV ({error}): a quote may be open; check it and upload it again") from error


def _as_text(cell: str) -> str:
    """Return the text of ="01067", which programs write so that Excel does not turn it into a number."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') else cell


def _dialect(sample: list[str], delimiter: str) -> tuple[dict[str, Any], bool]:
    """Return how cells are quoted, and whether quotes inside them are escaped by a backslash.

    The way that splits the rows most evenly is chosen; of equally even ways, the one that most programs write.
    """
    quoted = {"delimiter": delimiter, "skipinitialspace": any(f'{delimiter} "' in line for line in sample)}
    plain = {"delimiter": delimiter, "quoting": csv.QUOTE_NONE}
    if delimiter == "\t" and _evenness(sample, plain) > _evenness(sample, quoted):
        return plain, False
    is_escaped = any('\\"' in line for line in sample)
    return quoted, is_escaped and _evenness([*map(_doubled, sample)], quoted) > _evenness(sample, quoted)


def _doubled(line: str) -> str:
    return _ESCAPED_QUOTE.sub(r'\1""', line)


def _evenness(sample: list[str], dialect: dict[str, Any]) -> float:
    """Return the share of rows of the most frequent width; with equal shares, more rows give a slightly higher value.

    Fewer rows mean that an open quote has swallowed some.
    """
    widths = Counter(len(row) for row in csv.reader(io.StringIO("\n".join(sample)), **dialect) if row)
    return max(widths.values(), default=0) / max(1, widths.total()) + widths.total() / 1e6


def _delimiter(sample: list[str]) -> str:
    """Choose the delimiter that splits most rows into the same number of cells, which must be more than one."""
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        rows = csv.reader(io.StringIO("\n".join(sample)), delimiter=delimiter)
        widths = Counter(len(row) for row in rows if row)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        # Of equally even delimiters, the one with more cells a row wins: by a factor of at most 1.1.
        score = count / max(1, widths.total()) * (1 + min(width, 10) / 100) if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    is_prose = best == "," and best_score < _EVEN and "," not in "".join(sample[:1]) and _is_spaced(sample)
    return _NO_DELIMITER if is_prose else best


def _is_spaced(sample: list[str]) -> bool:
    """Return whether the commas are those of sentences, which a space follows, and not those between cells."""
    text = "\n".join(sample)
    return text.count(", ") + text.count(",\n") > _MOSTLY * text.count(",")


def _beside(header: list[str], block: list[list[str]]) -> list[str]:
    """Cut the header to the columns of the block: 9,000 names above each block of two columns would be a bomb."""
    return header[: max(map(_filled, block), default=1) or 1]


def _blocks(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[list[str], list[list[str]], int]]:
    """Yield the header, the rows of a block, and the number of the last row of the block, block by block."""
    last, header = next(rows, (0, None))
    if header is None:
        return
    block: list[list[str]] = []
    chars = 0
    sent = False
    for last, row in rows:
        block.append(row)
        chars += sum(map(len, row))
        if len(block) == _PART_ROWS or chars > _PART_CHARS:
            yield _beside(header, block) if sent else header, block, last
            block, chars, sent = [], 0, True
    if block or not sent:
        yield _beside(header, block) if sent else header, block, last

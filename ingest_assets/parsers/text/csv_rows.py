"""A CSV file in, Markdown tables of some hundred rows out, each with the file's header.

A row with more cells than the table has columns belongs under none of its headings: it stands as a line of text.

Delimiter and quoting are judged on the first rows by how evenly each candidate parts them. `csv.Sniffer` is not used:
it answers with letters on prose and fails on one column, and `unstructured` reads the whole file through pandas.
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
# Prose under a single heading has commas, too, but not the same number of them.
_EVEN, _MOSTLY = 0.6, 0.8
_SAMPLE_LINES = 200
_MAX_TITLES = 5
# Excel itself stops at 32,767 characters a cell.
_FIELD_CHARS = 1_000_000


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield blocks of rows, each as a table under the file's first row, but for lines of one cell that stand above it.

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
    """Return how many columns the table has: as many as most of its first rows, the widest among equals."""
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
    """Count a row's cells up to the last that holds anything."""
    return max((number for number, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row that has any text, from 1, and its cells."""
    source = lines(encoding.decode(path, encoding.detect(path)), ends=ROW_ENDS)
    sample = [line for line, _ in zip(source, range(_SAMPLE_LINES), strict=False)]
    delimiter = _delimiter(sample)
    if sample and sample[0].lower().startswith("sep=") and len(sample[0]) == 5:
        # How Excel is told the delimiter; it is not part of the table.
        delimiter = sample.pop(0)[4]
    csv.field_size_limit(_FIELD_CHARS)
    dialect, is_escaped = _dialect(sample, delimiter)
    written = chain(sample, source)
    try:
        rows = csv.reader((f"{line}\n" for line in (map(_doubled, written) if is_escaped else written)), **dialect)
        for number, row in enumerate(rows, start=1):
            if any(cell.strip() for cell in row):
                yield number, [_as_text(cell) if cell.startswith("=") else cell for cell in row]
    except csv.Error as error:
        raise BadInput(f"cannot be read as CSV ({error}): a quote may be open; check it and upload it again") from error


def _as_text(cell: str) -> str:
    """Read ="01067", by which programs keep Excel from making a number of it."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') else cell


def _dialect(sample: list[str], delimiter: str) -> tuple[dict[str, Any], bool]:
    """Tell how cells are quoted, and whether a backslash stands before the quotes in them.

    That is the way that parts the rows most evenly, and of equals the one that most programs write.
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
    """Return the share of rows that are as wide as most, and more for a row that is not swallowed by an open quote."""
    widths = Counter(len(row) for row in csv.reader(io.StringIO("\n".join(sample)), **dialect) if row)
    return max(widths.values(), default=0) / max(1, widths.total()) + widths.total() / 1e6


def _delimiter(sample: list[str]) -> str:
    """Choose the delimiter that parts most rows into the same number of cells, more than one."""
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        rows = csv.reader(io.StringIO("\n".join(sample)), delimiter=delimiter)
        widths = Counter(len(row) for row in rows if row)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        # Evenness decides; among equals (1.1) the one that parts into more.
        score = count / max(1, widths.total()) * (1 + min(width, 10) / 100) if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    is_prose = best == "," and best_score < _EVEN and "," not in "".join(sample[:1]) and _is_spaced(sample)
    return _NO_DELIMITER if is_prose else best


def _is_spaced(sample: list[str]) -> bool:
    """Tell commas of sentences, which a space follows, from those between cells."""
    text = "\n".join(sample)
    return text.count(", ") + text.count(",\n") > _MOSTLY * text.count(",")


def _beside(header: list[str], block: list[list[str]]) -> list[str]:
    """Cut a repeated header to the columns that the block has: nine thousand names over two cells are a bomb."""
    return header[: max(map(_filled, block), default=1) or 1]


def _blocks(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[list[str], list[list[str]], int]]:
    """Yield the header with each block of the others, and the number of the block's last row."""
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

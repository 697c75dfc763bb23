"""Read JSON lines: each record becomes one paragraph, a line for each field with its name.

A line that is not valid JSON is kept as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.records import ElementType, Part

VERSION = "2"
PART = "block of rows"

_PART_ROWS = 200
# A longer line is not taken for a record; its pieces are read as text.
_MAX_LINE_CHARS = 1_000_000
_MAX_DEPTH = 20


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield blocks of 200 records.

    Raises:
        BadInput: empty, or binary data.
    """
    builder = PartBuilder(limits=limits, start=start)
    number = 0
    for number, line in enumerate(_lines(encoding.decode(path, encoding.detect(path))), start=1):
        builder.add(ElementType.NARRATIVE_TEXT, _record(line))
        if builder.elements >= _PART_ROWS or builder.is_full:
            yield from builder.flush(last_row=number)
    yield from builder.rest(last_row=number)


def _lines(chunks: Iterator[str]) -> Iterator[str]:
    """Yield the lines. Records end at "\\n" only; other line breaks may occur inside strings."""
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from lines
        while len(rest) > _MAX_LINE_CHARS:
            yield rest[:_MAX_LINE_CHARS]
            rest = rest[_MAX_LINE_CHARS:]
    if rest.strip():
        yield rest


def _record(line: str) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return "\n".join(_fields(value, name="", depth=0))


def _fields(value: Any, *, name: str, depth: int) -> Iterator[str]:
    """Yield a line for each value that is not a container, named by its path ("address.city")."""
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        for key, inner in value.items():
            yield from _fields(inner, name=f"{name}.{key}" if name else str(key), depth=depth + 1)
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        plain = [str(item) for item in value if not isinstance(item, dict | list) and item is not None]
        if plain:
            yield _line(name, ", ".join(plain))
        for item in value:
            if isinstance(item, dict | list):
                yield from _fields(item, name=name, depth=depth + 1)
    elif value not in (None, ""):
        yield _line(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _line(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text

"""Read a JSON document as lines of text, with the escapes of its strings decoded.

Programs write `M\\u00fcnchen` for München, which no search for München would find. The document is not parsed, because
it may be larger than the memory, or damaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest_assets.parsers.building.part_builder import PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.text import plain as text
from ingest_assets.records import Part

VERSION = "2"
PART = text.PART

# Two UTF-16 surrogates, one UTF-16 unit, or a single escaped character.
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_SIGNS = {**dict.fromkeys("nrtbf", " "), '"': '"', "\\": "\\", "/": "/"}


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the text in parts of some 32,000 characters.

    Raises:
        BadInput: empty, or binary data.
    """
    builder = PartBuilder(limits=limits, start=start)
    yield from text.add(_unescaped(text.lines(encoding.decode(path, encoding.detect(path)))), builder=builder)
    yield from builder.rest()


def _unescaped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield (_ESCAPE.sub(_meant, line) if "\\" in line else line) + "\n"


def _meant(escape: re.Match[str]) -> str:
    high, low, unit, sign = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return chr(int(unit, 16)) if unit else _SIGNS.get(sign, escape[0])

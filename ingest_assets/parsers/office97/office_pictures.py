"""Bytes of an old Office file in, the PNG and JPEG pictures in them out (MS-ODRAW 2.2.23 to 2.2.30)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

# Records 0xF01D (JPEG), 0xF01E (PNG) and 0xF02A (JPEG in CMYK): type, then length.
_RECORD = re.compile(rb"[\x1d\x1e\x2a]\xf0(?P<size>.{4})", re.DOTALL)
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# One or two checksums of 16 bytes and a tag stand before the picture.
_OFFSETS = (17, 33)


def pictures(data: bytes) -> Iterator[bytes]:
    """Yield the pictures in the order in which they lie."""
    at = 0
    while match := _RECORD.search(data, at):
        at = match.start() + 1
        (size,) = struct.unpack("<I", match["size"])
        end = match.end() + size
        for offset in _OFFSETS:
            start = match.end() + offset
            if start < end <= len(data) and data.startswith(_SIGNATURES, start):
                yield data[start:end]
                at = end
                break

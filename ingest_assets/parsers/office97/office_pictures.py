"""Find the PNG and JPEG pictures in the drawing records of an Office 97 file (MS-ODRAW 2.2.23 to 2.2.30).

MS-ODRAW calls such a record a BLIP. The records are searched by their type, so that damage elsewhere costs nothing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

# Record types 0xF01D (JPEG), 0xF01E (PNG) and 0xF02A (JPEG in CMYK): type, then length.
_RECORD = re.compile(rb"[\x1d\x1e\x2a]\xf0(?P<size>.{4})", re.DOTALL)
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# One or two checksums of 16 bytes and a tag stand before the picture.
_OFFSETS = (17, 33)


def pictures(data: bytes) -> Iterator[bytes]:
    """Yield the pictures in the order in which they are stored."""
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

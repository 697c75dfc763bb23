"""Collect a picture of an RTF file from hex digits or raw bytes."""

from __future__ import annotations

import re
import struct

_NO_HEX = re.compile(rb"[^0-9a-fA-F]+")
_FORMATS = {"pngblip", "jpegblip", "emfblip", "wmetafile", "macpict", "pmmetafile", "dibitmap", "wbitmap"}
# Bytes of the longest picture; the limit on the size of a file refuses longer ones before.
_MAX_BYTES = 200_000_000
_BITMAP_HEADER_BYTES = 14


class RtfPicture:
    """Collect one picture."""

    def __init__(self) -> None:
        self._format = ""
        self._pieces: list[bytes] = []
        self._size = 0
        self._hex = b""

    def word(self, word: str) -> None:
        """Read a control word inside the group of the picture."""
        if word in _FORMATS:
            self._format = word

    def add(self, data: bytes) -> None:
        """Add hex digits."""
        digits = self._hex + _NO_HEX.sub(b"", data)
        whole = len(digits) // 2 * 2
        self._hex = digits[whole:]
        self.add_raw(bytes.fromhex(digits[:whole].decode("ascii")))

    def add_raw(self, data: bytes) -> None:
        """Add raw bytes."""
        if self._size < _MAX_BYTES:
            self._pieces.append(data)
            self._size += len(data)

    def data(self) -> bytes:
        """Return the picture file; a device-independent bitmap gets the file header that it lacks."""
        data = b"".join(self._pieces)
        self._pieces = []
        return _bitmap(data) if self._format == "dibitmap" else data


def _bitmap(data: bytes) -> bytes:
    """Put a file header before a device-independent bitmap (BITMAPINFOHEADER, palette and pixels)."""
    if len(data) < 40:
        return data
    size, _, _, _, bits, compression, _, _, _, colours, _ = struct.unpack("<IiiHHIIiiII", data[:40])
    palette = 4 * (colours or (1 << bits if bits <= 8 else 0)) + (12 if compression == 3 and size == 40 else 0)
    offset = (_BITMAP_HEADER_BYTES + size + palette) & 0xFFFFFFFF
    return struct.pack("<2sIHHI", b"BM", _BITMAP_HEADER_BYTES + len(data), 0, 0, offset) + data

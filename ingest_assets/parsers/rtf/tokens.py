"""Split an RTF file into tokens, with some tens of kilobytes in memory at a time.

The tokens of RTF 1.9.1 are braces around groups, control words, control symbols, bytes in hex, and text. Line ends have
no meaning; raw bytes follow `\\bin`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

_BLOCK_BYTES = 1 << 16
# A control word has at most 32 letters and ten digits; only a token of text may be longer.
_LONGEST = 64

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?[0-9]{1,10})? ?"
    rb"|\\'(?P<hex>[0-9a-fA-F]{2})"
    rb"|\\(?P<symbol>[^a-zA-Z])"
    rb"|(?P<brace>[{}])"
    rb"|[\r\n\0]+"
    rb"|(?P<text>[^\\{}\r\n\0]{1,4096})"
    rb"|\\",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class RtfToken:
    """One token. Fields that do not apply to it are empty."""

    word: str = ""
    """A control word, or a control symbol of one character."""
    number: int | None = None
    brace: str = ""
    data: bytes = b""
    """Text, one byte that was written in hex, or the raw bytes after `\\bin`."""


def tokens(file: IO[bytes]) -> Iterator[RtfToken]:
    """Yield the tokens; an incomplete one at the end of the file is left out."""
    buffer, at, is_last = b"", 0, False
    while not is_last or at < len(buffer):
        if len(buffer) - at < _LONGEST and not is_last:
            block = file.read(_BLOCK_BYTES)
            is_last = not block
            buffer, at = buffer[at:] + block, 0
            continue
        match = _TOKEN.match(buffer, at)
        if match is None:
            at += 1
            continue
        at = match.end()
        if match["word"] == b"bin":
            size = max(0, int(match["number"] or 0))
            data, buffer = buffer[at : at + size], buffer[at + size :]
            at = 0
            yield RtfToken(data=data + _read(file.read, size - len(data)), word="bin")
        elif token := _token(match):
            yield token


def _token(match: re.Match[bytes]) -> RtfToken | None:
    if match["word"]:
        number = int(match["number"]) if match["number"] else None
        return RtfToken(word=match["word"].decode("ascii"), number=number)
    if match["hex"]:
        return RtfToken(data=bytes([int(match["hex"], 16)]))
    if match["symbol"]:
        return RtfToken(word=match["symbol"].decode("latin-1"))
    if match["brace"]:
        return RtfToken(brace=match["brace"].decode("ascii"))
    return RtfToken(data=match["text"]) if match["text"] else None


def _read(read: Callable[[int], bytes], size: int) -> bytes:
    """Read at most `size` bytes of raw data, block by block, because the claimed size may be far too large."""
    pieces = []
    while size > 0:
        block = read(min(size, _BLOCK_BYTES))
        if not block:
            break
        pieces.append(block)
        size -= len(block)
    return b"".join(pieces)

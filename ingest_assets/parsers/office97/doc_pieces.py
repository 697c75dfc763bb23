"""Assemble the text of a Word document of 1995 to 2003 from its pieces (MS-DOC 2.4.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput

if TYPE_CHECKING:
    from olefile import OleFileIO

_WORD_97, _WORD_95 = 0xA5EC, 0xA5DC
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
_COUNTS_AT, _CLX_AT, _BARE_TEXT_AT = 0x4C, 0x01A2, 0x18
_COMPRESSED = 1 << 30
# Each edit makes a piece: the longest documents have some ten thousand.
_MAX_PIECES = 1_000_000
# As many as fit in the largest file that is accepted; pieces that overlap could claim more.
_MAX_CHARS = 25_000_000


@dataclass(frozen=True, slots=True)
class Stories:
    """The texts of a document, with Word's own marks still in them.

    Word calls them stories: the main text, footnotes, headers, endnotes and text boxes.
    """

    main: str
    footnotes: str = ""
    headers: str = ""
    endnotes: str = ""
    boxes: str = ""


def stories(file: OleFileIO) -> Stories:
    """Assemble the texts of a document.

    Raises:
        BadInput: encrypted, or older than Word 6.
    """
    document = _stream(file, "WordDocument")
    if len(document) < 0x20:
        raise BadInput("the Word document is damaged or truncated; save it again from its program")
    identity, flags = struct.unpack_from("<H8xH", document)
    if flags & _ENCRYPTED:
        raise BadInput("the Word document is encrypted; upload it without a password")
    if identity == _WORD_95:
        start, end = struct.unpack_from("<II", document, _BARE_TEXT_AT)
        return Stories(main=document[start:end].decode("cp1252", "replace"))
    if identity != _WORD_97:
        raise BadInput("no Word document of 1995 to 2003; save it as .docx")
    return _parted(_text(document, _stream(file, "1Table" if flags & _TABLE_1 else "0Table")), document)


def _stream(file: OleFileIO, name: str) -> bytes:
    if not file.exists(name):
        raise BadInput(f"the Word document is damaged (no stream {name}); save it again from its program")
    with file.openstream(name) as stream:
        return bytes(stream.read())


def _text(document: bytes, table: bytes) -> str:
    start, size = struct.unpack_from("<II", document, _CLX_AT)
    clx = table[start : start + size]
    at = 0
    while clx[at : at + 1] == b"\x01":  # formatting, which is not read
        at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
    if clx[at : at + 1] != b"\x02":
        raise BadInput("the Word document is damaged (no table of pieces); save it again from its program")
    plc = clx[at + 5 : at + 5 + struct.unpack_from("<I", clx, at + 1)[0]]
    count = min(_MAX_PIECES, (len(plc) - 4) // 12)
    places = struct.unpack_from(f"<{count + 1}I", plc)
    pieces: list[str] = []
    chars = 0
    for number in range(count):
        (where,) = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * number + 2)
        length = max(0, places[number + 1] - places[number])
        piece = _piece(document, where, length=length)
        chars += len(piece)
        if chars > _MAX_CHARS:
            raise BadInput(f"its pieces come to more than {_MAX_CHARS:,} characters; save it again from its program")
        pieces.append(piece)
    return "".join(pieces)


def _piece(document: bytes, where: int, *, length: int) -> str:
    if where & _COMPRESSED:
        at = (where & (_COMPRESSED - 1)) // 2
        return document[at : at + length].decode("cp1252", "replace")
    data = document[where : where + 2 * length]
    # Unit by unit, because Word counts a character above U+FFFF as two.
    return "".join(map(chr, struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])))


def _parted(text: str, document: bytes) -> Stories:
    main, footnotes, headers, _, comments, endnotes, boxes = struct.unpack_from("<7i", document, _COUNTS_AT)
    ends = [0]
    for count in (main, footnotes, headers, comments, endnotes, boxes):
        ends.append(ends[-1] + max(0, count))
    cut = [_whole(text[start:end]) for start, end in pairwise(ends)]
    return Stories(main=cut[0], footnotes=cut[1], headers=cut[2], endnotes=cut[4], boxes=cut[5])


def _whole(text: str) -> str:
    """Join UTF-16 surrogates to characters."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

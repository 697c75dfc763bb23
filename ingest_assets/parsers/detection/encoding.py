"""Bytes of a text file in, the name of their encoding out; then the text itself, some kilobytes at a time.

In order: a byte order mark; NUL bytes (UTF-16 and UTF-32 without a mark); valid UTF-8, which no other encoding
imitates by chance; what the file declares of itself, where it decodes; and at last the letters. The whole file is
read once, so that a single "é" after a megabyte of ASCII counts; what is kept is a sample of lines with such bytes.

The letters are judged here (`letters.py`) because `charset-normalizer` 3.5 took one French or Polish sentence in
windows-1252 or windows-1250 for another code page, and Hebrew for Russian; it is asked where no alphabet fits.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection import alphabets as letters

_BLOCK_BYTES = 1 << 16
_SAMPLE_BYTES = 1 << 15
_HEAD_BYTES = 1 << 16

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# How Japanese and Korean mail switches its alphabet: all bytes are ASCII.
_ISO_2022 = b"\x1b$"
# One in so many: printer files and logs hold a few; compressed or random bytes hold 1 in 10.
_RARE = 200
# Bell, back space, tab, line ends, escape and the old end-of-file mark do occur in text.
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 26, 27}) + b"\x7f"


def detect(path: Path, *, declared: str = "") -> str:
    """Name the Python codec that reads this file; `declared` is what the file says of itself.

    Raises:
        BadInput: the file is empty, or binary.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise BadInput("an empty file (0 bytes): upload it again")
    encoding = of_head(head)
    if encoding:
        return encoding
    sample, bad_lines, good_lines = _scan(path)
    if good_lines >= bad_lines:
        # Valid multi-byte lines are no accident: the broken ones beside them are damage, not another encoding.
        return "utf-8"
    if declared and _decodes(sample, declared):
        return codecs.lookup(declared).name
    return letters.best_encoding(sample)


def of_head(head: bytes) -> str:
    """Name a Unicode encoding that shows in the first bytes, or "" for one that does not.

    Raises:
        BadInput: the bytes are no text.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # A crash leaves some NULs in a log; that other bytes than ASCII are UTF-8 by chance, none does.
    if b"\0" in head and not (head.count(b"\0") * _RARE <= len(head) and _is_utf8(head, after_cut=False)):
        return _unmarked_utf16(head)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls * _RARE > len(head):
        raise BadInput("binary data, not text; upload a document of a known type")
    return ""


def decode(path: Path, encoding: str) -> Iterator[str]:
    """Yield the text in blocks; a byte that does not decode becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


# Names under which programs of one country write what a wider table holds (WHATWG Encoding, 4.2).
_WIDER = {
    **dict.fromkeys(("ascii", "us-ascii"), ""),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin-1", "latin1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms932"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601"), "cp949"),
    "big5": "cp950",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
}


def decode_bytes(data: bytes, *, declared: str = "") -> str:
    """Decode a short text that is held whole: as it declares of itself where that fits, else by its letters."""
    name = declared.strip().lower()
    # Of ASCII alone, only a declared encoding makes anything else: ISO-2022-JP, UTF-7. Valid UTF-8 is no accident.
    for candidate in ("" if name in _WIDER else name, "utf-8") if data.isascii() else ("utf-8", _WIDER.get(name, name)):
        try:
            if candidate:
                return data.decode(candidate)
        except (LookupError, ValueError):
            continue
    return data.decode(letters.best_encoding(data[:_SAMPLE_BYTES]), "replace")


def _unmarked_utf16(head: bytes) -> str:
    head = head[: len(head) // 4 * 4] or head[: len(head) // 2 * 2]
    found = []
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        kinds = Counter(unicodedata.category(char) for char in text if char not in "\t\n\r\f")
        if not kinds or kinds["Cn"] + kinds["Co"] + kinds["Cc"] > 0:
            continue
        words = sum(count for kind, count in kinds.items() if kind[0] in "LNZP")
        # Read the wrong way round, ASCII is spread over as many scripts as it has letters.
        blocks = len({ord(char) >> 8 for char in text})
        found.append((words / len(text) - blocks / 256, encoding))
    if not found:
        raise BadInput("binary data, not text; upload a document of a known type")
    return max(found)[1]


def _scan(path: Path) -> tuple[bytes, int, int]:
    """Return a sample of lines with bytes above 127, and how many of those lines are not, and are, UTF-8."""
    sample = bytearray()
    bad = good = 0
    with path.open("rb") as file:
        cut = False
        while line := file.readline(_BLOCK_BYTES):
            start_bytes, cut = cut, not line.endswith(b"\n")
            if line.isascii() and _ISO_2022 not in line:
                continue
            if _ISO_2022 not in line and _is_utf8(line, after_cut=start_bytes):
                good += 1
                continue
            bad += 1
            if len(sample) < _SAMPLE_BYTES:
                sample += line[:4096]
    return bytes(sample), bad, good


def _is_utf8(line: bytes, *, after_cut: bool) -> bool:
    """Tell whether a line, or a piece of one that is cut at any byte, is UTF-8."""
    if after_cut:
        line = line[:3].lstrip(bytes(range(0x80, 0xC0))) + line[3:]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)
    except UnicodeDecodeError:
        return False
    return True


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except (LookupError, UnicodeError):
        return False
    return True

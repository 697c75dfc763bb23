"""Find the encoding of a text file, and decode the file some kilobytes at a time.

The order of evidence: a byte order mark; NUL bytes (UTF-16 and UTF-32 without a mark); valid UTF-8, which text in
another encoding almost never is by chance; what the file declares, if it decodes; and last the letters
(`alphabets.py`). The whole file is read once, so that a single "é" after a megabyte of ASCII counts. Only a sample of
the lines with such bytes is kept.

A few damaged bytes do not change the answer. UTF-8 with a few invalid bytes is UTF-8, and a declared encoding that
cannot decode each byte still competes with the others, with a bonus. Each damaged character becomes U+FFFD. Reported
for other readers as djcb/mu#949 and chardet/chardet#376; figures are in benchmarks/encodings.

The letters are judged here because `charset-normalizer` 3.5 took one French or Polish sentence in windows-1252 or
windows-1250 for another code page, and Hebrew for Russian. It is asked only when no alphabet fits.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ingest_assets.errors import BadInput
from ingest_assets.parsers.detection import damaged_bytes
from ingest_assets.parsers.detection.alphabets import best_encoding
from ingest_assets.parsers.detection.damaged_bytes import REPLACEMENT, SURROGATE_PAIR

_BLOCK_BYTES = 1 << 16
_SAMPLE_BYTES = 1 << 15
_SAMPLE_LINE_BYTES = 1 << 12
_HEAD_BYTES = 1 << 16

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Japanese and Korean mail switches between alphabets with this sequence; all its bytes are ASCII.
_ISO_2022 = b"\x1b$"
_NOT_ASCII = re.compile(rb"[\x80-\xff]|\x1b\$")
# One byte in 200 may be a control character: printer files and logs have a few. In compressed data it is 1 in 10.
_RARE = 200
# Bell, back space, tab, line ends, escape and the old end-of-file mark occur in text.
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 26, 27}) + b"\x7f"
_PRINTABLE = bytes(range(32, 127)) + b"\t\n\r"
# Three valid sequences of UTF-8 to one invalid: below it, Chinese in GBK with a few accidental ones would be UTF-8.
_UTF8_FIT = 0.5

# Programs of one country use a name for the larger encoding that contains it (https://encoding.spec.whatwg.org, 4.2).
_LARGER = {
    "ascii": "",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_jp": "euc_jis_2004",
    "euc_kr": "cp949",
    "big5": "cp950",
}
# Names that mails and pages declare and Python does not know.
_ALIASES = {
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e"), "cp1255"),
    **dict.fromkeys(("x-gbk", "gb_2312-80", "windows-936"), "gb18030"),
    **dict.fromkeys(("x-sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("x-euc-jp", "cp51932", "eucjp-ms"), "euc_jis_2004"),
    **dict.fromkeys(("windows-949", "x-windows-949", "ks_c_5601-1987"), "cp949"),
    "x-x-big5": "cp950",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "koi8": "koi8_r",
    "utf8mb4": "utf-8",
}
_CODE_PAGE = re.compile(r"(?:x-)?(?:cp|win|windows|dos|ibm)[-_]?(\d{3,4})")


def detect(path: Path, *, declared: str = "") -> str:
    """Name the Python codec that decodes this file; `declared` is the encoding that the file itself names.

    Raises:
        BadInput: the file is empty, or binary.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            raise BadInput("an empty file (0 bytes): upload it again")
        if encoding := of_head(head):
            return encoding
        file.seek(0)
        codec = declared_codec(declared)
        # Without NUL bytes it is not UTF-16 or UTF-32: a page that was converted kept its old declaration.
        return _judged(file, declared="" if codec.startswith(("utf-16", "utf-32")) else codec)


def of_head(head: bytes) -> str:
    """Name a Unicode encoding that shows in the first bytes, or return "" if none shows.

    Raises:
        BadInput: the bytes are not text.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head and not _has_stray_nuls(head):
        return _unmarked_utf16(head)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls > head.count(b"\0") and controls * _RARE > len(head):
        raise BadInput("binary data, not text; upload a document of a known type")
    return ""


def decode(path: Path, encoding: str) -> Generator[str, None, None]:
    """Yield the text in blocks; a byte that cannot be decoded becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(errors=damaged_bytes.error_handler())
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def decode_bytes(data: bytes, *, declared: str = "") -> str:
    """Decode a short text; `declared` is the encoding that the text, or its container, names."""
    return damaged_bytes.decode(data, codec_of(data, declared=declared))


def codec_of(data: bytes, *, declared: str = "") -> str:
    """Name the Python codec that decodes a short text; `declared` is as for `decode_bytes`."""
    codec = declared_codec(declared)
    if codec.startswith(("utf-16", "utf-32")):
        if b"\0" in data or _printable(data) < len(data) / 2:
            return codec
        codec = ""
    # Text that is ASCII in every byte is something else only by declaration: ISO-2022-JP, UTF-7.
    if data.isascii() and _ISO_2022 not in data:
        return codec if codec and _decodes(data, codec) else "utf-8"
    return _judged(io.BytesIO(data), declared=codec)


def declared_codec(name: str) -> str:
    """Return Python's name of a declared encoding, or the larger encoding that contains it; "" if it is unknown."""
    name = name.strip().lower()
    known = _CODE_PAGE.fullmatch(name)
    try:
        codec = codecs.lookup(_ALIASES.get(name) or (f"cp{known[1]}" if known else name)).name
        b"a".decode(codec)
    except UnicodeDecodeError:
        return codec  # UTF-16 and UTF-32 need more bytes
    except (LookupError, ValueError):
        return ""  # also what decodes no text: base64, "undefined"
    return _LARGER.get(codec, codec)


def _has_stray_nuls(head: bytes) -> bool:
    """Tell whether the NUL bytes are damage in a text of one byte per character.

    A crash leaves some NULs in a log, an export leaves one in a cell. Half the bytes of English in UTF-16 are NULs, and
    in UTF-16 of other scripts most of the other bytes are not ASCII.
    """
    rest = head.translate(None, b"\0")
    nuls = len(head) - len(rest)
    if nuls * _RARE <= len(head) and _is_utf8(head, is_cut=True):
        return True
    return nuls * 8 <= len(head) and _printable(rest) > 0.9 * len(rest)


def _printable(data: bytes) -> int:
    """Count the bytes that are printable ASCII."""
    return len(data) - len(data.translate(None, _PRINTABLE))


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
        # ASCII that is read in the wrong byte order is spread over as many scripts as it has letters.
        blocks = len({ord(char) >> 8 for char in text})
        found.append((words / len(text) - blocks / 256, encoding))
    if not found:
        raise BadInput("binary data, not text; upload a document of a known type")
    return max(found)[1]


def _judged(file: BinaryIO, *, declared: str) -> str:
    """Name the codec of a text without a mark."""
    evidence = _scan(file)
    if not evidence.sample or evidence.utf8_fit >= _UTF8_FIT:
        return "utf-8"
    if declared and declared != "utf-8" and _decodes(evidence.sample, declared):
        return declared
    return best_encoding(evidence.sample, declared=declared, utf8_fit=evidence.utf8_fit)


class _Evidence(NamedTuple):
    sample: bytes
    """Pieces of the lines that are not valid UTF-8; empty if all lines are."""
    utf8_fit: float
    """From -1 (no byte above 127 belongs to a valid sequence of UTF-8) to 1 (each does)."""


def _scan(file: BinaryIO) -> _Evidence:
    sample = bytearray()
    valid = invalid = 0
    is_cut = False
    while line := file.readline(_BLOCK_BYTES):
        after_cut, is_cut = is_cut, len(line) == _BLOCK_BYTES and not line.endswith(b"\n")
        is_iso_2022 = _ISO_2022 in line
        if line.isascii() and not is_iso_2022:
            continue
        if not is_iso_2022 and _is_utf8(line, after_cut=after_cut, is_cut=is_cut):
            valid += len(line) - len(line.decode("utf-8", "ignore"))
            continue
        line_valid, line_invalid = _utf8_evidence(line)
        valid, invalid = valid + line_valid, invalid + line_invalid
        if len(sample) < _SAMPLE_BYTES:
            sample += _piece(line, after_cut=after_cut)
    return _Evidence(bytes(sample), (valid - invalid) / max(1, valid + invalid))


def _piece(line: bytes, *, after_cut: bool) -> bytes:
    """Cut a sample from a line, beginning at its first byte above 127 and ending with a line end."""
    if after_cut:
        # The line may begin inside a character. No encoding has a space or a punctuation mark as its last byte.
        line = line[next((at for at, byte in enumerate(line[:_SAMPLE_LINE_BYTES]) if byte < 0x30), 0) :]
    first = _NOT_ASCII.search(line)
    start = max(0, first.start() - 16) if first else 0
    return line[start : start + _SAMPLE_LINE_BYTES].rstrip(b"\n") + b"\n"


def _utf8_evidence(line: bytes) -> tuple[int, int]:
    """Count the continuation bytes of valid UTF-8 sequences in a line, and the sequences that are not valid."""
    if b"\xed" in line:
        line = SURROGATE_PAIR.sub("😀".encode(), line)
    text = line.decode("utf-8", "replace")
    invalid = text.count(REPLACEMENT) - line.count(REPLACEMENT.encode())
    text = text.replace(REPLACEMENT, "")
    return len(text.encode()) - len(text), invalid


def _is_utf8(line: bytes, *, after_cut: bool = False, is_cut: bool) -> bool:
    """Tell whether a line is UTF-8; its end, if it is cut, and its beginning `after_cut` may be inside a character."""
    if after_cut:
        line = line[:3].lstrip(bytes(range(0x80, 0xC0))) + line[3:]
    try:
        codecs.utf_8_decode(line, "strict", not is_cut)
    except UnicodeDecodeError:
        return False
    return True


def _decodes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeError:
        return False
    return True

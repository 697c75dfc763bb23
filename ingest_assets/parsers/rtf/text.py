"""Decode the bytes and code points of RTF text. The encoding of a byte depends on the current font.

Bytes are collected and decoded together, because a Japanese or Chinese character has two. The characters after a `\\u`
that are meant for readers without Unicode are skipped.
"""

from __future__ import annotations

import codecs

from ingest_assets.parsers.building import superscripts

# Codecs of `\fcharset`, the number that Windows gives to a character set.
_CHARSETS = {
    0: "cp1252",
    77: "mac_roman",
    78: "shift_jis",
    79: "euc_kr",
    80: "gb2312",
    81: "big5",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gb18030",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    255: "cp437",
}
_CODE_PAGES = {10000: "mac_roman", 10001: "shift_jis", 932: "cp932", 936: "gb18030", 949: "cp949", 950: "cp950"}
# A font of symbols; its bytes are not letters.
_SYMBOL_CHARSET = 2


class RtfText:
    """Collect the text of one paragraph."""

    def __init__(self) -> None:
        self.default = "cp1252"
        self._fonts: dict[int, str] = {}
        self._bytes = bytearray()
        self._codec = ""
        self._high = 0
        self._skip = 0
        self._pieces: list[str] = []
        self.chars = 0

    def sibling(self) -> RtfText:
        """Return an empty text with the same fonts and code page."""
        other = RtfText()
        other.default, other._fonts = self.default, self._fonts
        return other

    def set_code_page(self, number: int) -> None:
        """Set the code page of the document (`\\ansicpg`)."""
        self.default = code_page(number) or self.default

    def set_font(self, font: int, *, charset: int | None = None, codec: str = "") -> None:
        """Set the encoding of a font."""
        if charset == _SYMBOL_CHARSET:
            self._fonts[font] = "symbol"
        elif name := codec or _CHARSETS.get(charset or -1, ""):
            self._fonts[font] = name

    def add_bytes(self, data: bytes, *, font: int) -> None:
        """Add bytes in the encoding of a font; those that repeat a `\\u` before them are skipped."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        codec = self._fonts.get(font, self.default)
        if codec != self._codec:
            self._decode()
            self._codec = codec
        self._bytes += data
        self.chars += len(data)

    def add(self, text: str) -> None:
        """Add decoded text; if it repeats a `\\u` before it, it is skipped and counts as one character."""
        if self._skip:
            self._skip -= 1
            return
        self._decode()
        self._pieces.append(text)
        self.chars += len(text)

    def add_code_point(self, number: int, *, fallback_chars: int) -> None:
        """Add a `\\u`: a signed UTF-16 unit; two surrogates give one character."""
        self._decode()
        code = number & 0xFFFF
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            if self._high:
                self._pieces.append(chr(0x10000 + ((self._high - 0xD800) << 10) + code - 0xDC00))
            self._high = 0
        else:
            self._pieces.append(chr(code))
        self._skip = fallback_chars
        self.chars += 1

    def begin_raised(self) -> None:
        """Mark the text that follows as raised."""
        self._decode()
        self._pieces.append(superscripts.RAISED)

    def end_group(self) -> None:
        """Stop skipping: the characters that repeat a `\\u` never extend beyond its group."""
        self._skip = 0

    def take(self) -> str:
        """Return the collected text and begin another one."""
        self._decode()
        text = superscripts.marked("".join(self._pieces))
        self._pieces, self.chars, self._skip, self._high = [], 0, 0, 0
        return text

    def _decode(self) -> None:
        if not self._bytes:
            return
        if self._codec == "symbol":
            # Into the private use area, where `building/cleaning.py` knows bullets and arrows.
            self._pieces.append("".join(chr(0xF000 + byte) if byte > 32 else chr(byte) for byte in self._bytes))
        else:
            self._pieces.append(self._bytes.decode(self._codec, "replace"))
        self._bytes.clear()


def code_page(number: int) -> str:
    """Return the codec of a Windows code page, or "" where Python has none."""
    name = _CODE_PAGES.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""

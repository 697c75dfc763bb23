"""The tables at the head of an RTF file in, the alphabets of its fonts and the levels of its styles out."""

from __future__ import annotations

import re

from ingest_assets.parsers.rtf.text import RtfText, code_page

TABLES = {"fonttbl", "stylesheet"}
# How Word names its styles, in some of the languages in which it translates them, in their code pages.
_HEADING = re.compile(
    rb"(?:heading|[\xdc\xfc]berschrift|titre|t\xedtulo|titolo|kop|rubrik|overskrift|nag\xb3\xf3wek)\s*([1-9])",
    re.IGNORECASE,
)
_TITLE = re.compile(rb"(title|titel|titre|t\xedtulo|titolo)\s*;?$", re.IGNORECASE)
_MAX_NAME_BYTES = 200


class RtfHeader:
    """What the head of the file says."""

    def __init__(self) -> None:
        self.text = RtfText()
        self.default_font = 0
        self._table = ""
        self._font = 0
        self._style = 0
        self._name = b""
        self._outline = -1
        self._levels: dict[int, int] = {}

    def begin(self, table: str) -> None:
        """Enter a table."""
        self._table, self._name = table, b""

    def end(self) -> None:
        """Leave it."""
        self._end_entry()
        self._table = ""

    def word(self, word: str, number: int | None) -> None:
        """Take a control word inside of a table."""
        value = number if number is not None else 0
        if self._table == "fonttbl":
            if word == "f":
                self._font = value
            elif word == "fcharset":
                self.text.set_font(self._font, charset=value)
            elif word == "cpg" and code_page(value):
                self.text.set_font(self._font, codec=code_page(value))
        elif word in {"s", "cs", "ds", "ts"}:
            self._style = value if word == "s" else -1
        elif word == "outlinelevel":
            self._outline = value

    def add(self, data: bytes) -> None:
        """Take text inside of a table: the names of styles."""
        if self._table != "stylesheet":
            return
        self._name = (self._name + data)[:_MAX_NAME_BYTES]
        if data.rstrip().endswith(b";"):
            self._end_entry()

    def property(self, word: str, value: int) -> None:
        """Take a control word about the document."""
        if word == "ansicpg":
            self.text.set_code_page(value)
        elif word == "mac":
            self.text.default = "mac_roman"
        elif word in {"pc", "pca"}:
            self.text.default = "cp437" if word == "pc" else "cp850"
        elif word == "deff":
            self.default_font = value

    def heading(self, style: int) -> int:
        """Give the level of a heading's style, 0 for one of no heading."""
        return self._levels.get(style, 0)

    def _end_entry(self) -> None:
        match = _HEADING.match(self._name.strip())
        if self._style >= 0 and self._name:
            if match:
                self._levels[self._style] = int(match[1])
            elif _TITLE.match(self._name.strip()):
                self._levels[self._style] = 1
            elif 0 <= self._outline < 9:
                self._levels[self._style] = self._outline + 1
        self._style, self._outline, self._name = 0, -1, b""

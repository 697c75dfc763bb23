"""Read the header of an RTF file: the code page of each font, and the heading level of each style."""

from __future__ import annotations

import re

from ingest_assets.parsers.rtf.text import RtfText, code_page

TABLES = {"fonttbl", "stylesheet"}
# Names of Word's heading styles in some of its languages, in their code pages.
_HEADING = re.compile(
    rb"(?:heading|[\xdc\xfc]berschrift|titre|t\xedtulo|titolo|kop|rubrik|overskrift|nag\xb3\xf3wek)\s*([1-9])",
    re.IGNORECASE,
)
_TITLE = re.compile(rb"(title|titel|titre|t\xedtulo|titolo)\s*;?$", re.IGNORECASE)
_MAX_NAME_BYTES = 200


class RtfHeader:
    """Collect the header of a file."""

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
        """Begin the font table or the style sheet."""
        self._table, self._name = table, b""

    def end(self) -> None:
        """End the current table."""
        self._end_entry()
        self._table = ""

    def word(self, word: str, number: int | None) -> None:
        """Read a control word inside a table."""
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
        """Read text inside a table: names of styles."""
        if self._table != "stylesheet":
            return
        self._name = (self._name + data)[:_MAX_NAME_BYTES]
        if data.rstrip().endswith(b";"):
            self._end_entry()

    def property(self, word: str, value: int) -> None:
        """Read a control word for the whole document."""
        if word == "ansicpg":
            self.text.set_code_page(value)
        elif word == "mac":
            self.text.default = "mac_roman"
        elif word in {"pc", "pca"}:
            self.text.default = "cp437" if word == "pc" else "cp850"
        elif word == "deff":
            self.default_font = value

    def heading(self, style: int) -> int:
        """Return the heading level of a style, 0 for a style of other text."""
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

"""Normalise the text of any format: NFC, no control characters, "\\n" as line end.

Word and PowerPoint write bullets as private-use characters of the fonts Symbol and Wingdings (U+F0B7 and others). No
other font can show them, and no embedding model has seen them.
"""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")
# C0 and C1 controls except tab and line feed; soft hyphens, zero-width spaces, byte order marks; non-characters; lone
# surrogates, which cannot be encoded.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\ufeff\ufffe\uffff\ufdd0-\ufdef\ud800-\udfff]")
# Sequences that set a terminal's colours, window title or character set (ECMA-48, 5.4; ECMA-35).
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,999}(?:\x07|\x1b\\)|[()][0-9A-Z])")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_SYMBOLS = {
    **dict.fromkeys("\uf0a7\uf0b7\uf06c\uf06e\uf071\uf075\uf076\uf077\uf0d8\uf0b2", "•"),
    "\uf0a8": "☐",
    "\uf0fe": "☑",
    "\uf0fd": "☒",
    **dict.fromkeys("\uf0e0\uf0ae\uf0f0", "→"),
    **dict.fromkeys("\uf0df\uf0ac", "←"),
    "\uf0fc": "✓",
    "\uf0fb": "✗",
    "\uf061": "α",
    "\uf062": "β",
    "\uf06d": "μ",
    "\uf0b0": "°",
    "\uf0b1": "±",
    "\uf0a3": "≤",
    "\uf0b3": "≥",
    "\uf0b4": "×",
}


def clean(text: str) -> str:
    """Normalise to NFC, "\\n" line ends and printable characters, without white space at both ends."""
    text = _LINE_ENDS.sub("\n", text)
    text = _UNWANTED.sub("", _ESCAPES.sub("", text))
    text = _PRIVATE.sub(lambda match: _SYMBOLS.get(match[0], ""), text)
    return unicodedata.normalize("NFC", text).strip()


def one_line(text: str) -> str:
    """Clean the text, and replace each run of white space by one space."""
    return " ".join(clean(text).split())

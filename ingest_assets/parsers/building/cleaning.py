"""Text from any format in, text that may travel on out: NFC, no control characters, "\\n" line ends.

Word and PowerPoint write bullets as private-use characters of the fonts Symbol and Wingdings (U+F0B7 and its like);
nothing but that font can show them, and an embedder has never seen them.
"""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")
# C0 and C1 controls but tab and line feed; soft hyphens, zero-width spaces, byte order marks; non-characters and lone
# surrogates, which no encoder takes.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\ufeff\ufffe\uffff\ufdd0-\ufdef\ud800-\udfff]")
# What colours a terminal, names its window or chooses its letters (ECMA-48, 5.4; ECMA-35).
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
    """Normalise to NFC, "\\n" line ends and characters that can be shown; white space at both ends goes."""
    text = _LINE_ENDS.sub("\n", text)
    text = _UNWANTED.sub("", _ESCAPES.sub("", text))
    text = _PRIVATE.sub(lambda match: _SYMBOLS.get(match[0], ""), text)
    return unicodedata.normalize("NFC", text).strip()


def one_line(text: str) -> str:
    """Clean, and fold every run of white space to one space."""
    return " ".join(clean(text).split())

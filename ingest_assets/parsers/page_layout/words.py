"""Turn the characters of a PDF into readable Unicode, and join lines to running text.

PDFs contain glyphs, not letters: ligatures, Arabic presentation forms, hyphens at line ends, bullets of symbol fonts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set

SOFT_HYPHEN = "\u00ad"

Words = Set[str]
"""Words in lower case."""

_INVISIBLE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)
_SUBSTITUTES = {
    **_INVISIBLE,
    0x09: " ",
    0xFFFE: "-",  # PDFium's mark of a hyphen at a line's end; older builds wrote 0x02
    0x02: "-",
    0xF0A7: "▪",  # Wingdings and Symbol in the private use area, as word processors write their bullets
    0xF0B7: "•",
    0xF0D8: "➢",
    0xF0FC: "✓",
    0xFFFD: None,
}
# Latin ligatures, Hebrew and Arabic presentation forms: code points for one of several shapes of a letter.
_PRESENTATION = re.compile("[\ufb00-\ufdff\ufe70-\ufefc]+")
_UNSPACED = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]")  # CJK, but not Hangul
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_WITHIN = re.compile(r"\w+(?:-\w+)*")
_OPENING = "([{<\"'“„«‘"
_ACCENTS = {"¨": "\u0308", "´": "\u0301", "ˆ": "\u0302", "ˇ": "\u030c", "˜": "\u0303", "˚": "\u030a"}
_ACCENTED = re.compile("([¨´ˆˇ˜˚])([A-Za-zı])")
# PDFium puts an Arabic vowel sign with a glyph of its own after a space, before its letter; it belongs to the letter.
_STRAY_SIGN = re.compile("([\u0620-\u064a]) ([\u064b-\u0652\u0670]+)([\u0620-\u064a])")
# "Haupt- und Nebensatz": the hyphen stands for the rest of a word, and stays.
_SUSPENDED = re.compile(r"(?:und|oder|bzw|and|or|to|et|ou|y|o)\b")


def clean(text: str) -> str:
    """Return the text of a run in NFC, with base letters and single spaces, without control characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = text.translate(_SUBSTITUTES)
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        soft = SOFT_HYPHEN if text.rstrip().endswith(SOFT_HYPHEN) else ""
        text = _PRESENTATION.sub(lambda found: unicodedata.normalize("NFKC", found.group()), text)
        text = _ACCENTED.sub(_accented, text)
        text = _STRAY_SIGN.sub(r"\1\3\2", text)
        text = unicodedata.normalize("NFC", text.replace(SOFT_HYPHEN, "")) + soft
    return " ".join(text.split())


def _accented(found: re.Match[str]) -> str:
    """Combine a TeX accent, which is a separate glyph before its letter, with the letter."""
    return found[2].replace("ı", "i") + _ACCENTS[found[1]]


def words_of(text: str) -> Words:
    """Collect the words of a text in lower case, with the hyphens inside them."""
    return frozenset(_WITHIN.findall(text.lower()))


def join(before: str, after: str, *, spaced: bool, words: Words) -> str:
    """Join two lines of one paragraph; `spaced` says that white space follows the first line in the file."""
    if before.endswith(SOFT_HYPHEN):
        return before[:-1] + after
    if before.endswith(("-", "\u2010")) and before[-2:-1].isalpha() and after[:1].isalpha():
        return _join_hyphenated(before, after, words=words)
    if _UNSPACED.match(before[-1:]) and _UNSPACED.match(after[:1]):
        return before + after
    if not spaced and _HANGUL.match(before[-1:]) and _HANGUL.match(after[:1]):
        return before + after  # Korean breaks lines inside words; at the end of a word the file has a space
    return f"{before} {after}"


def is_rtl(text: str) -> bool:
    """Tell whether most letters belong to a right-to-left script."""
    if text.isascii() or not _RTL.search(text):
        return False
    kinds = [unicodedata.bidirectional(character) for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def _join_hyphenated(before: str, after: str, *, words: Words) -> str:
    if _SUSPENDED.match(after):
        return f"{before} {after}"
    head = before[:-1].rpartition(" ")[2].lstrip(_OPENING)
    tail = after[: _first_word_end(after)]
    if f"{head}{tail}".lower() in words:
        return before[:-1] + after
    is_compound = "-" in head or not after[0].islower() or f"{head}-{tail}".lower() in words
    return before + after if is_compound else before[:-1] + after


def _first_word_end(text: str) -> int:
    found = _WITHIN.match(text)
    return found.end() if found else 0

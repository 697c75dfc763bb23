"""Decide whether the text layer of a PDF page has readable text.

A PDF may have glyphs without letters: text in a subset font that has no table of characters, or a wrong one, looks
right on paper and is copied as "7KH TXLFN EURZQ". The test uses the kinds and frequencies of characters instead of a
dictionary, so that it works for every language in Latin letters. In other scripts only characters that are not text
count against a layer. The thresholds are far from all values that were measured on pages of real PDFs and on the same
pages made unreadable (docs/decisions/pictures.md).
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from ingest_assets.parsers.pdf.text.text_runs import page_text

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

# Replacement characters, private use and controls, except PDFium's mark of a hyphen and the bullets of Word.
_NO_TEXT = re.compile("[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf0a6\uf0a8-\uf0b6\uf0b8-\uf8ff]")
_SPACE = re.compile(r"\s+")
_MAX_NO_TEXT = 0.2
# The letters that make up at least half of a text in any European language.
_COMMON = "eainorst"
_MIN_COMMON = 0.35
_MAX_ACCENTED = 0.5  # Vietnamese, which has the most, stays below
_MIN_LETTERS = 100  # frequencies say nothing about a shorter text
_ASKED = 64  # characters of a page for which PDFium is asked whether the font maps them to a letter
_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")
_VOWEL = re.compile("[aeiouyAEIOUY]")
_EDGES = " .,;:!?()[]{}<>'\"“”‘’«»-–—…*/|"


def is_legible(textpage: PdfTextPage) -> bool:
    """Tell whether the text layer of a page has the letters that are shown."""
    text = page_text(textpage)
    characters = len(_SPACE.sub("", text))
    if not characters:
        return True
    if len(_NO_TEXT.findall(text)) > _MAX_NO_TEXT * characters:
        return False
    return is_language(text) and (_is_known(textpage) or looks_like_words(text))


def is_language(text: str) -> bool:
    """Tell whether the frequencies of Latin letters are those of a language; True for other scripts and short texts."""
    folded = text.lower()
    if not folded.isascii():
        folded = unicodedata.normalize("NFD", folded)
    latin = sum(map(folded.count, "abcdefghijklmnopqrstuvwxyz"))
    if latin < _MIN_LETTERS or 2 * latin < sum(map(str.isalpha, folded)):
        return not _is_mojibake(text)
    return sum(map(folded.count, _COMMON)) >= _MIN_COMMON * latin and not _is_mojibake(text)


def looks_like_words(text: str) -> bool:
    """Tell whether most words have only letters, in one case, and a vowel if they are Latin."""
    words = [word for word in (token.strip(_EDGES) for token in text.split()) if len(word) > 2 and not word.isdigit()]
    return 2 * sum(map(_is_word, words)) >= len(words)


def _is_word(word: str) -> bool:
    base = unicodedata.normalize("NFD", word)
    if not base[0].isascii():
        return base[0].isalpha()
    in_one_case = word.isupper() or word[1:].lower() == word[1:]
    return in_one_case and bool(_WORD.fullmatch(word)) and bool(_VOWEL.search(base))


def _is_mojibake(text: str) -> bool:
    """Tell whether most letters are accented: Cyrillic or Greek text that was decoded as Western European."""
    letters = [letter for letter in text if letter.isalpha()] if not text.isascii() else []
    accented = sum("\xc0" <= letter <= "\xff" for letter in letters)
    return len(letters) >= _MIN_LETTERS and accented > _MAX_ACCENTED * len(letters)


def _is_known(textpage: PdfTextPage) -> bool:
    """Tell whether the fonts map most characters to letters; for the others PDFium invents one."""
    import pypdfium2.raw as raw

    count = textpage.count_chars()
    asked = range(0, count, max(1, count // _ASKED))
    unknown = sum(bool(raw.FPDFText_HasUnicodeMapError(textpage.raw, index) == 1) for index in asked)
    return 2 * unknown < len(asked)

"""Characters of PDFs become readable Unicode, and words divided at line ends are joined."""

from __future__ import annotations

import pytest

from ingest_assets.parsers.page_layout.words import clean, is_rtl, join, words_of

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain text", "plain text"),
        ("of\ufb01ce \ufb02ag", "office flag"),
        ("\ufedf\ufee0\ufef4\ufeeb", "لليه"),
        ("na¨ıve", "naïve"),
        ("e\u0301", "é"),
        ("\uf0b7 item", "• item"),
        ("a\x00b\x07c", "abc"),
        ("a\u200bb\ufeffc\u202ad", "abcd"),
        ("co\u00adoperate", "cooperate"),
        ("  a \u00a0 b\t c  ", "a b c"),
        ("x\ud835\udc65y", "x\U0001d465y"),
        ("lone \ud835 surrogate", "lone surrogate"),
        ("½ and ² stay", "½ and ² stay"),
    ],
)
def test_glyphs_become_letters(raw: str, text: str) -> None:
    assert clean(raw) == text


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("a descrip-", "tion of", "a description of"),
        ("a descrip\u00ad", "tion of", "a description of"),
        ("the Jean-", "Paul case", "the Jean-Paul case"),
        ("state-of-the-", "art things", "state-of-the-art things"),
        ("Haupt-", "und Nebensatz", "Haupt- und Nebensatz"),
        ("pages 10-", "12 of it", "pages 10- 12 of it"),
        ("日本", "語", "日本語"),
        ("두 단", "어", "두 단어"),
        ("two", "words", "two words"),
    ],
)
def test_lines_are_joined_as_their_language_breaks_them(before: str, after: str, joined: str) -> None:
    assert join(before, after, spaced=False, words=NONE) == joined


def test_a_word_that_the_document_writes_with_a_hyphen_keeps_it_at_a_line_end() -> None:
    assert join("a trace-", "based one", spaced=False, words=words_of("Trace-based")) == "a trace-based one"


def test_a_word_that_the_document_writes_without_a_hyphen_loses_it() -> None:
    assert join("in Trace-", "Monkey", spaced=False, words=words_of("TraceMonkey is")) == "in TraceMonkey"


def test_a_space_in_the_file_parts_korean_words_at_a_line_end() -> None:
    assert join("첫", "둘", spaced=True, words=NONE) == "첫 둘"


def test_the_direction_is_that_of_most_letters() -> None:
    assert is_rtl("مكتبة pandas في البرمجة")
    assert not is_rtl("the word سلام in a sentence")
    assert not is_rtl("123")


def test_a_vowel_sign_stands_on_its_letter() -> None:
    assert clean("يؤدي أي \u064bضا إلى") == "يؤدي أيض\u064bا إلى"

"""Test that words are counted in every script, and that sentences end where a reader would end them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.stages.chunking.boundaries import Strength, count_words, spans


def sentences(text: str) -> list[str]:
    words = list(spans(text, first=Strength.PARAGRAPH))
    starts = [word.start for word in words if word.strength >= Strength.SENTENCE]
    return [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. J. Smith paid $3.50 to Acme Inc. in Jan. 2020.",
        "See Fig. 3 and refs. 4 to 7 (Miller et al. 2019).",
        "It is small, e.g. 0.5 mm, i.e. Thin.",
        "Das gilt z.B. Montags und bzw. Dienstags.",
        "the end... or not",
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Was it fair?" he asked. Yes! It was.', ['"Was it fair?" he asked.', "Yes!", "It was."]),
        ("It ended. (Not well.) Then it began.", ["It ended.", "(Not well.)", "Then it began."]),
        ("你好世界。他说：“是吗？”我不知道。", ["你好世界。", "他说：“是吗？”", "我不知道。"]),
        ("هل هذا صحيح؟ نعم هو كذلك. انتهى", ["هل هذا صحيح؟", "نعم هو كذلك.", "انتهى"]),
        ("यह हिंदी है। और यह भी।", ["यह हिंदी है।", "और यह भी।"]),
        ("Это дом. Он большой.", ["Это дом.", "Он большой."]),
    ],
)
def test_a_sentence_ends_at_its_mark_in_every_script(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_blank_line_is_stronger_than_a_full_stop() -> None:
    strengths = [word.strength for word in spans("One. Two.\n\nThree", first=Strength.SECTION)]
    assert strengths == [Strength.SECTION, Strength.SENTENCE, Strength.PARAGRAPH]


def test_by_line_only_lines_count() -> None:
    text = "| a. B | c |\n| d | e |"
    starts = [
        word.start for word in spans(text, first=Strength.PARAGRAPH, by_line=True) if word.strength > Strength.WORD
    ]
    assert starts == [0, text.index("| d")]


def test_scripts_without_spaces_and_endless_runs_are_counted_by_length() -> None:
    assert count_words("中文没有空格" * 100) == 600
    assert count_words("ภาษาไทย" * 100) == 175
    assert count_words("x" * 4000) == 100
    assert count_words("three plain words") == 3


@given(st.text())
def test_the_count_is_never_below_a_split_at_spaces(text: str) -> None:
    assert count_words(text) >= len(text.split())


@given(st.text())
def test_words_are_in_order_and_hold_every_visible_character(text: str) -> None:
    words = list(spans(text, first=Strength.PARAGRAPH))
    assert all(a.end <= b.start for a, b in pairwise(words))
    assert "".join(text[word.start : word.end] for word in words) == "".join(text.split())

"""Test that plain text gives the paragraphs of its author, in parts of limited size."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.text import plain as text
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.reading import elements_of, file, parts_of, texts_of


def test_lines_broken_at_a_margin_are_joined(tmp_path: Path) -> None:
    wrapped = "It was in July, 1805, and the speaker was the well-known Anna\nPavlovna Scherer, maid of honor.\n\nNext."
    assert texts_of(text, file(tmp_path, wrapped)) == [wrapped.split("\n\n")[0].replace("\n", " "), "Next."]


def test_lines_broken_by_the_author_are_kept(tmp_path: Path) -> None:
    verse = "Whose woods these are\nI think I know.\nHis house is in the village though;"
    assert texts_of(text, file(tmp_path, verse)) == [verse]


def test_items_are_items(tmp_path: Path) -> None:
    elements = elements_of(text, file(tmp_path, "Bring:\n - bread\n - wine\n1. first\n2. second\n"))
    assert [(element.type, element.text) for element in elements] == [
        (ElementType.NARRATIVE_TEXT, "Bring:"),
        (ElementType.LIST_ITEM, "bread"),
        (ElementType.LIST_ITEM, "wine"),
        (ElementType.LIST_ITEM, "1. first"),
        (ElementType.LIST_ITEM, "2. second"),
    ]


def test_only_safe_titles_are_titles(tmp_path: Path) -> None:
    source = "BOOK ONE: 1805\n\nCHAPTER IV\n\nPart of it\n\nUNITED STATES\n\nIntroduction\n============\n\nText."
    titles = [(e.text, e.level) for e in elements_of(text, file(tmp_path, source)) if e.type is ElementType.TITLE]
    assert titles == [("BOOK ONE: 1805", 1), ("CHAPTER IV", 2), ("Introduction", 1)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\u2028"])
def test_all_line_ends_are_line_ends(tmp_path: Path, end: str) -> None:
    assert texts_of(text, file(tmp_path, f"one{end}{end}two{end}{end}three")) == ["one", "two", "three"]


def test_mixed_line_ends_across_blocks_lose_nothing(tmp_path: Path) -> None:
    ends = ("\n\r\n", "\r\r")
    source = "".join(f"line {number}{ends[number % 2]}" for number in range(20_000))
    assert texts_of(text, file(tmp_path, source)) == [f"line {number}" for number in range(20_000)]


def test_a_five_megabyte_line_is_cut_and_whole(tmp_path: Path) -> None:
    parts = parts_of(text, file(tmp_path, "word " * 1_000_000))
    assert max(len(element.text) for part in parts for element in part.elements) <= 20_000
    assert sum(element.text.count("word") for part in parts for element in part.elements) == 1_000_000
    assert max(sum(len(element.text) for element in part.elements) for part in parts) < 60_000


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    path = file(tmp_path, "\n\n".join(f"Paragraph {number} says something." for number in range(5_000)))
    parts = parts_of(text, path)
    assert len(parts) > 3
    assert parts_of(text, path, start=3) == parts[2:]


def test_no_text_is_one_empty_part(tmp_path: Path) -> None:
    assert [part.elements for part in parts_of(text, file(tmp_path, "\n \n"))] == [()]


def test_zero_bytes_and_nuls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty file"):
        parts_of(text, file(tmp_path, b""))
    with pytest.raises(BadInput, match="binary data"):
        parts_of(text, file(tmp_path, b"\0" * 100))


@pytest.mark.parametrize(
    "start", ["2026-03-01 12:00:0{} ", "10.0.0.{} - - ", "[12:00:0{}] ", "Mar {} 12:00:00 host ", "> {} "]
)
def test_records_of_a_log_stay_lines(tmp_path: Path, start: str) -> None:
    rows = [start.format(number) + "The lamp was lit by the keeper, it burned and burned" for number in range(4)]
    assert texts_of(text, file(tmp_path, "\n".join(rows))) == ["\n".join(rows)]


def test_some_nuls_in_a_log_are_removed(tmp_path: Path) -> None:
    log = "The lamp was lit at eight, the wind came from the west.\n" * 40 + "\0\0\0\0It burned until six, ça va.\n"
    assert texts_of(text, file(tmp_path, log))[-1].endswith("It burned until six, ça va.")


def test_characters_that_cannot_be_shown_are_removed(tmp_path: Path) -> None:
    assert texts_of(text, file(tmp_path, "cafe\u0301 \uf0b7 a\u00adb\u200b \x1b[0m")) == ["café • ab"]

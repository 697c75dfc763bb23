"""Test that a document's languages are those of most of its words."""

from __future__ import annotations

from collections import Counter

from ingest_assets.records import Chunk
from ingest_assets.stages.chunking.languages import main_languages, words_by_language


def chunk(text: str, *, index: int = 0) -> Chunk:
    return Chunk("c", "f", index, text, "", 0, len(text))


def told(text: str) -> str:
    """Stand in for a detector: what is in capitals is German."""
    return "de" if text.isupper() else "en"


def test_each_paragraph_of_a_chunk_counts_for_its_language() -> None:
    paragraphs = (
        "THIS ONE IS IN CAPITALS ALL THROUGH, FROM END TO END",
        "and this one is not, nowhere in all of it, ever",
        "12",
    )
    text = "\n\n".join(paragraphs)
    assert words_by_language(chunk(text), language_of=told) == {"words_in_de": 11, "words_in_en": 11}


def test_of_a_long_document_only_some_chunks_are_asked_for() -> None:
    text = "a paragraph that is long enough, and so it is asked for"
    asked = [index for index in range(2_000) if words_by_language(chunk(text, index=index), language_of=told)]
    assert asked[:12] == list(range(12))
    assert len(asked) < 50


def test_a_chunk_of_one_endless_paragraph_is_asked_for_by_its_beginning() -> None:
    seen: list[str] = []

    def detector(text: str) -> str:
        seen.append(text)
        return "en"

    words_by_language(chunk("word " * 100_000), language_of=detector)
    assert len(seen) == 1
    assert len(seen[0]) <= 400


def test_languages_of_a_few_words_are_left_out() -> None:
    counts = Counter(words=1_000, words_in_fr=95, words_in_en=400, words_in_de=500, words_in_la=5)
    assert main_languages(counts) == ("de", "en")
    assert main_languages({"words": 3}) == ()

"""Chunks in, how many of their words are in which language out: of a sample, so that a long book costs little more.

A document may be in several languages, and so may a chunk; each paragraph is asked for by itself. Which language a
paragraph is in says a detector that is passed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from ingest_assets.records import Chunk

PREFIX = "words_in_"
"""What the counts' names begin with, before the language."""

_FIRST, _EVERY = 12, 64  # chunks asked for: the first ones, and then a few of a long document
_MAX_PARAGRAPHS = 8  # of a chunk
_MAX_CHARS = 400  # of a paragraph: the detector is sure of a few sentences
_MIN_LETTERS = 30  # a few words; less is a name, a number or a formula, and short text is told badly
_MIN_SHARE = 0.1  # of the words asked for


def words_by_language(chunk: Chunk, *, language_of: Callable[[str], str]) -> dict[str, int]:
    """Count a chunk's words by language, as counts of a manifest; nothing where the chunk is not asked for.

    `language_of` returns a code of two letters, or nothing where it cannot tell.
    """
    counts: Counter[str] = Counter()
    if chunk.index >= _FIRST and chunk.index % _EVERY:
        return {}
    for paragraph in chunk.text.split("\n\n")[:_MAX_PARAGRAPHS]:
        sample = paragraph[:_MAX_CHARS]
        if sum(map(str.isalpha, sample)) >= _MIN_LETTERS and (language := language_of(sample)):
            counts[PREFIX + language] += len(sample.split())
    return dict(counts)


def main_languages(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the languages in a manifest's counts, that of most words first, without those of a few words."""
    words = {name.removeprefix(PREFIX): count for name, count in counts.items() if name.startswith(PREFIX)}
    enough = _MIN_SHARE * sum(words.values())
    return tuple(sorted((name for name in words if words[name] >= enough), key=lambda name: (-words[name], name)))

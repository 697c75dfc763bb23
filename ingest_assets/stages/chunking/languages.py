"""Count the words of a document by language, from a sample of its chunks so that a long book costs little more.

A document may be in several languages, and so may a chunk. So a detector, which is passed in, is asked for each
paragraph by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from ingest_assets.records import Chunk

PREFIX = "words_in_"
"""Prefix of the counts' names; the language code follows."""

_FIRST, _EVERY = 12, 64  # chunks in the sample: the first ones, and then a few of a long document
_MAX_PARAGRAPHS = 8  # of a chunk
_MAX_CHARS = 400  # of a paragraph: the detector is sure of a few sentences
_MIN_LETTERS = 30  # a few words; less is a name, a number or a formula, and the detector errs on short text
_MIN_SHARE = 0.1  # of the words in the sample


def words_by_language(chunk: Chunk, *, language_of: Callable[[str], str]) -> dict[str, int]:
    """Count a chunk's words by language, as counts of a manifest; no counts if the chunk is not in the sample.

    `language_of` returns a code of two letters, or an empty string if it is not sure.
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
    """Return the languages in a manifest's counts, most words first, without those of less than a tenth."""
    words = {name.removeprefix(PREFIX): count for name, count in counts.items() if name.startswith(PREFIX)}
    enough = _MIN_SHARE * sum(words.values())
    return tuple(sorted((name for name in words if words[name] >= enough), key=lambda name: (-words[name], name)))

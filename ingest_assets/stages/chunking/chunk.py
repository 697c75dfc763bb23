"""Cut a document into chunks of 150 to 500 words, at the boundaries of its sections, paragraphs and sentences.

A cut is made at the strongest boundary within reach (section, then paragraph, then sentence, then word). Among equal
boundaries the text itself decides, by the hash of what follows the cut, as in content-defined chunking (Muthitacharoen
et al., "A low-bandwidth network file system", 2001). So a few chunks after an edit the cuts are the same as before, and
the rest of a long document keeps its texts, ids and vectors (benchmarks/retrieval/README.md, table 3).
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest_assets.errors import ConfigError
from ingest_assets.records import Caption, Chunk, Part
from ingest_assets.stages.chunking.boundaries import Strength
from ingest_assets.stages.chunking.passages import Word, WordWindow, passages

VERSION = "1"
"""Goes up whenever the same parts yield other chunks."""
_HASHED_CHARS = 64  # enough to tell paragraphs apart, short enough that an edit after it moves no cut


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """How long chunks are, in words (`boundaries.count_words`)."""

    max_words: int = 500
    """The overlap and a repeated table header are included."""
    min_words: int = 150
    """Not always reached: a shorter document is one chunk, and a table that fits is never cut to reach it."""
    overlap_words: int = 50
    """Words repeated from the end of the chunk before, at most."""

    def __post_init__(self) -> None:
        if not (1 <= self.min_words <= self.max_words and 0 <= self.overlap_words <= self.max_words // 2):
            raise ConfigError(
                f"chunks of {self.min_words} to {self.max_words} words with {self.overlap_words} of overlap cannot be "
                "made: min_words must not exceed max_words, nor overlap_words half of it"
            )


def chunk(
    parts: Iterable[Part], *, file_id: str, captions: Mapping[str, Caption], sizes: ChunkSizes
) -> Iterator[Chunk]:
    """Cut a document into chunks, in reading order, holding about one chunk's words and one element at a time.

    Headers and footers of pages are left out. The same elements give the same chunks, in whatever parts they come.
    """
    reading = WordWindow(passages(parts, captions=captions, max_words=sizes.max_words))
    seen: Counter[str] = Counter()
    begin = index = 0
    while reading.fill(begin + sizes.max_words + sizes.min_words + 1) > begin:
        start = _overlap_start(reading, begin, sizes)
        prefix, prefix_words = reading.header_above(start)
        end = _cut(reading.words, begin, used=begin - start + prefix_words, sizes=sizes)
        text = prefix + reading.text(start, end)
        text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        yield Chunk(
            chunk_id=_chunk_id(file_id, text_sha256, occurrence=seen[text_sha256]),
            file_id=file_id,
            index=index,
            text=text,
            text_sha256=text_sha256,
            start=reading.words[start].start,
            end=reading.words[end - 1].end,
            prefix=prefix,
            pages=reading.pages(start, end),
            section=reading.section(begin, end),
            words=end - start + prefix_words,
        )
        seen[text_sha256] += 1
        index += 1
        kept = max(start, end - sizes.overlap_words)
        reading.forget(kept)
        begin = end - kept


def _chunk_id(file_id: str, text_sha256: str, *, occurrence: int) -> str:
    """Name a chunk by file and content; a second chunk of equal text gets an id of its own, the same in every run."""
    return hashlib.sha256(f"{file_id}\0{text_sha256}\0{occurrence}".encode()).hexdigest()[:32]


def _overlap_start(reading: WordWindow, begin: int, sizes: ChunkSizes) -> int:
    """Return where a chunk with its overlap starts; its own words start at `begin`.

    It starts with a sentence, if one is near enough. All words before `begin` belong to the chunk before, and there are
    no more of them than the overlap. Of a table only whole rows are repeated.
    """
    words = reading.words
    start = next((i for i in range(begin) if words[i].opens), begin)
    if 2 * (begin - start) < begin and not words[0].passage.is_table:
        start = 0
    _, prefix_words = reading.header_above(start)
    # A table that just fits leaves no room for an overlap.
    return begin if begin - start + prefix_words + words[begin].passage.whole_words > sizes.max_words else start


def _cut(words: Sequence[Word], begin: int, *, used: int, sizes: ChunkSizes) -> int:
    """Return where the chunk ends that starts with `used` words and goes on at `begin`."""
    first, last = begin + max(1, sizes.min_words - used), begin + sizes.max_words - used
    if len(words) <= last:
        return len(words)
    # Enough words for another chunk should follow: up to the next section or table, or at least up to the end.
    goal = next((i for i in range(last + 1, len(words)) if _is_goal(words[i])), len(words))
    furthest = ((goal - sizes.min_words, Strength.SENTENCE), (len(words) - sizes.min_words, Strength.WORD))
    tables = [i for i in range(first, len(words)) if _begins_whole_table(words[i])]
    for limit, good_enough in (*furthest, (last, Strength.KEEP)):
        reach = range(first, min(last, limit) + 1)
        fit = [i for i in reach if not _strands(words, i, tables, sizes)] or list(reach)
        strongest = max((words[i].strength for i in fit), default=None)
        if strongest is not None and strongest >= good_enough:
            break
    if strongest is Strength.KEEP and words[first].passage.whole_words:
        table = first
        while table > begin and words[table].strength is Strength.KEEP:
            table -= 1
        return table if table > begin else last
    return max((i for i in fit if words[i].strength is strongest), key=lambda i: (_hash(words[i]), i))


def _is_goal(word: Word) -> bool:
    return word.strength is Strength.SECTION or _begins_whole_table(word)


def _begins_whole_table(word: Word) -> bool:
    return word.passage.whole_words > 0 and word.start == word.passage.start


def _strands(words: Sequence[Word], cut: int, tables: Sequence[int], sizes: ChunkSizes) -> bool:
    """Tell whether a cut leaves too few words before a table with which they do not fit into one chunk."""
    room = sizes.max_words - sizes.overlap_words
    return any(
        cut < table < cut + sizes.min_words and table - cut + words[table].passage.whole_words > room
        for table in tables
    )


def _hash(word: Word) -> int:
    at = word.start - word.passage.start
    return zlib.crc32(word.passage.text[at : at + _HASHED_CHARS].encode())

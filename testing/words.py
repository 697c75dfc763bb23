"""Measure how much of the text that a reader should have read was read.

What should have been read is the text of another tool, one for each file (references.py). Texts are compared as runs of
four words: they say that the words are there, and in order; they say nothing of the order of columns and boxes, of
which there are equally good ones.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

RUN = 4
_IGNORED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08]")
# Addresses, embedded pictures and tags, which some readers write out and others leave out.
_LINKS = re.compile(r"</?[A-Za-z][^<>]{0,400}>|\]\([^)\n]*\)|https?://\S+|data:\S+")
# A word divided at the end of a line: some readers join it, which is no worse than to leave it.
_DIVIDED = re.compile("(?<=[^\\W\\d_])[-\\u2010\\u00ad\\x02][ ]*\n[^\\S\\f]*(?=[^\\W\\d_])")
# A character of a script without spaces is a word.
_WORD = re.compile("[\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\\W_]+")

Runs = frozenset[tuple[str, ...]]


def runs_of(text: str, *, length: int = RUN) -> Runs:
    """Return every run of so many words; all words as one run where there are fewer.

    A form feed parts what may stand in any order, or with something between: no run goes across it.
    """
    plain = _DIVIDED.sub("", unicodedata.normalize("NFKC", text))
    runs: set[tuple[str, ...]] = set()
    for part in _LINKS.sub(" ", _IGNORED.sub("", plain)).casefold().split("\f"):
        words = _WORD.findall(part)
        runs.update(zip(*(words[start:] for start in range(length)), strict=False))
        if 0 < len(words) < length:
            runs.add(tuple(words))
    return frozenset(runs)


def runs_in(text: str, wanted: Runs) -> Runs:
    """Return the runs of a text that are as long as those wanted."""
    lengths = {len(run) for run in wanted}
    return frozenset().union(*(runs_of(text, length=length) for length in lengths))


def recall(text: str, wanted: Runs) -> float:
    """Return the share of the reference's runs that a text has."""
    return len(wanted & runs_in(text, wanted)) / len(wanted) if wanted else 1.0


def digest(run: tuple[str, ...]) -> str:
    """Name a run without saying it: twelve digits."""
    return hashlib.sha256(" ".join(run).encode()).hexdigest()[:12]

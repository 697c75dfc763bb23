"""Texts in, how much of what a reader should have read it has read, out.

Nobody has typed the corpus, so the reference is what independent witnesses agree on: runs of four words that at least
two of them, and at least half, have in this order. A reader is a witness for a file only if it has the manifest's
phrase, which was found with other tools or by eye: text in the wrong encoding is no evidence. Readers that stand on
one engine are one witness. The phrases' own words are always part of the reference. Four words in a row say that the
words are there, and in order; they say nothing of the order of columns and boxes, of which there are equally good ones.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

RUN = 4
MIN_WITNESSES = 2
_IGNORED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08]")
# Addresses, embedded pictures and tags, which some readers write out and others leave out.
_LINKS = re.compile(r"</?[A-Za-z][^<>]{0,400}>|\]\([^)\n]*\)|https?://\S+|data:\S+")
# A word divided at the end of a line: some readers join it, which is no worse than to leave it.
_DIVIDED = re.compile("(?<=[^\\W\\d_])[-\\u2010\\u00ad\\x02][ ]*\n\\s*(?=[^\\W\\d_])")
# A character of a script without spaces is a word.
_WORD = re.compile("[\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\\W_]+")

Runs = frozenset[tuple[str, ...]]


def runs_of(text: str, *, length: int = RUN) -> Runs:
    """Return every run of so many words; all words as one run where there are fewer."""
    plain = _DIVIDED.sub("", unicodedata.normalize("NFKC", text))
    words = _WORD.findall(_LINKS.sub(" ", _IGNORED.sub("", plain)).casefold())
    if len(words) < length:
        return frozenset({tuple(words)} if words else ())
    return frozenset(zip(*(words[start:] for start in range(length)), strict=False))


def runs_in(text: str, wanted: Runs) -> Runs:
    """Return the runs of a text that are as long as those wanted."""
    lengths = {len(run) for run in wanted}
    return frozenset().union(*(runs_of(text, length=length) for length in lengths))


def reference(texts: Mapping[str, str], phrases: Iterable[str], *, engines: Mapping[str, str]) -> Runs:
    """Return the runs that enough witnesses have, and those of the phrases; `texts` and `engines` are by reader."""
    asked = frozenset().union(*(runs_of(_whole(phrase)) for phrase in phrases))
    witnesses: dict[str, set[tuple[str, ...]]] = {}
    for name, text in texts.items():
        if text and asked <= runs_in(text, asked):
            witnesses.setdefault(engines[name], set()).update(runs_of(text))
    counts = Counter(run for runs in witnesses.values() for run in runs)
    enough = max(MIN_WITNESSES, (len(witnesses) + 1) // 2)
    return asked | {run for run, count in counts.items() if count >= enough}


def _whole(phrase: str) -> str:
    """Return a long phrase without its last word, which may be cut."""
    return phrase if len(phrase.split()) <= RUN else phrase.rsplit(None, 1)[0]


def recall(text: str, wanted: Runs) -> float:
    """Return the share of the reference's runs that a text has."""
    return len(wanted & runs_in(text, wanted)) / len(wanted) if wanted else 1.0


def digest(run: tuple[str, ...]) -> str:
    """Name a run without saying it: twelve digits."""
    return hashlib.sha256(" ".join(run).encode()).hexdigest()[:12]

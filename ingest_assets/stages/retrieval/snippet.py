"""Cut out of a chunk the sentences that answer a question best, to show them beside a search result.

The search compares meanings of whole chunks and does not say where in a chunk the answer stands. Here the words of the
question decide: the sentence that holds most of them is shown whole, with its neighbours as far as there is room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ingest_assets.stages.chunking.boundaries import Strength, spans

MAX_WORDS = 40
_PREFIX = 4
"""Words of the same first four letters count as forms of one word: volts and voltage, start and started."""
_FORM_WEIGHT = 0.6  # of the weight of an equal word: four equal letters also begin words of another meaning
_LONGEST = 8  # letters; longer words weigh the same
_FRAGMENT_WEIGHT = 0.7  # of the weight of a sentence: titles, cells and labels name a thing and say nothing about it
_ENDS = (".", "!", "…", "。", "！", "।")  # no question marks: a heading that is a question is no answer
_NOT_ASKED = """
a an and are at be can did do does for from has have how in is it its many much must my of on or should that the there
this to was were what when where which who whom whose why will with would you your
"""
"""English words that ask or join; in other languages such words are short, and so count for little."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    """Characters of the text before it."""
    words: tuple[tuple[int, int], ...]
    """Start and end of each, in characters of the text."""

    @property
    def end(self) -> int:
        return self.words[-1][1]


def snippet_of(text: str, query: str, *, max_words: int = MAX_WORDS) -> str:
    """Return at most `max_words` words of a text, whole sentences where they fit; … marks what is left out."""
    sentences = _sentences(text)
    if not sentences:
        return ""
    scores = _scores(text, sentences, query)
    best = max(range(len(sentences)), key=lambda index: (scores[index], -index))
    if len(sentences[best].words) > max_words:
        return _shown(text, *_window(text, sentences[best], query, max_words))
    first = last = best
    room = max_words - len(sentences[best].words)
    while True:
        neighbours = [index for index in (last + 1, first - 1) if 0 <= index < len(sentences)]
        fitting = [index for index in neighbours if len(sentences[index].words) <= room]
        if not fitting:
            return _shown(text, sentences[first].start, sentences[last].end)
        chosen = max(fitting, key=lambda index: (scores[index], index))
        room -= len(sentences[chosen].words)
        first, last = min(first, chosen), max(last, chosen)


def _sentences(text: str) -> list[_Sentence]:
    sentences: list[list[tuple[int, int]]] = []
    for start, end, strength in spans(text, first=Strength.SENTENCE):
        if strength >= Strength.SENTENCE:
            sentences.append([])
        sentences[-1].append((start, end))
    return [_Sentence(words[0][0], tuple(words)) for words in sentences]


def _scores(text: str, sentences: Sequence[_Sentence], query: str) -> list[float]:
    """Weigh each sentence by the question's words in it: long words and words rare in the text count for more."""
    asked = _asked(query)
    found = [_found(text, sentence, asked) for sentence in sentences]
    frequency = Counter(word for words in found for word in words)
    scores = []
    for sentence, words in zip(sentences, found, strict=True):
        score = sum(_weight(word) * share / frequency[word] ** 0.5 for word, share in words.items())
        is_fragment = not text[: sentence.end].endswith(_ENDS)
        scores.append(score * (_FRAGMENT_WEIGHT if is_fragment else 1.0))
    return scores


def _asked(query: str) -> frozenset[str]:
    """Return the words that a question asks for; all of them where it has no others."""
    words = frozenset(filter(None, (_plain(query[start:end]) for start, end, _ in spans(query, first=Strength.WORD))))
    return words.difference(_NOT_ASKED.split()) or words


def _found(text: str, sentence: _Sentence, asked: frozenset[str]) -> dict[str, float]:
    """Return which of the asked words a sentence holds: 1 for the word itself, less for another form of it."""
    found: dict[str, float] = {}
    for start, end in sentence.words:
        word = _plain(text[start:end])
        for wanted in asked:
            if word == wanted:
                found[wanted] = 1.0
            elif _is_form(word, wanted):
                found.setdefault(wanted, _FORM_WEIGHT)
    return found


def _is_form(word: str, wanted: str) -> bool:
    return len(word) >= _PREFIX <= len(wanted) and word[:_PREFIX] == wanted[:_PREFIX]


def _weight(word: str) -> float:
    """Weigh a word by its length; a number or a mark such as R2 counts as a long one."""
    has_digit = any(letter.isdigit() for letter in word)
    return float(_LONGEST if has_digit or not word.isascii() else min(len(word), _LONGEST) - 1)


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def _window(text: str, sentence: _Sentence, query: str, max_words: int) -> tuple[int, int]:
    """Return the part of a sentence with most of the question's words, if the sentence is too long to show whole."""
    asked = _asked(query)
    weights = [_weight(word) if (word := _plain(text[a:b])) in asked else 0.0 for a, b in sentence.words]
    first = max(
        range(len(weights) - max_words + 1), key=lambda index: (sum(weights[index : index + max_words]), -index)
    )
    return sentence.words[first][0], sentence.words[first + max_words - 1][1]


def _shown(text: str, start: int, end: int) -> str:
    shown = " ".join(text[start:end].split())
    return ("… " if text[:start].strip() else "") + shown + (" …" if any(map(str.isalnum, text[end:])) else "")

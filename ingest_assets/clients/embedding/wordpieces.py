"""Cut texts into windows that the model can read, and merge the vectors of a text's windows into one.

A sentence-transformers model cuts a text at 256 word pieces without a warning. A chunk of 500 words has about 825, so
two thirds of it would be in no vector. Therefore a text is read in windows of about equal length that end between
words, and its vector is the mean of their vectors, weighted by their number of pieces.
`benchmarks/retrieval/README.md` compares this with other ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest_assets.clients.embedding.weights import ModelCard
    from ingest_assets.records import Vector

WINDOW_PIECES = 256
"""Word pieces per window, the two special ones included (benchmarks/retrieval/README.md, tables 1, 2)."""


def identity(card: ModelCard, *, window_pieces: int) -> str:
    """Return the model name that is kept with each vector: only vectors with the same name can be compared.

    Runtime and precision are not part of it: they change a vector by 1e-4.
    """
    return f"{card.name}@{card.sha256[:12]}/mean-of-{window_pieces}"


@dataclass(frozen=True, slots=True)
class PieceWindow:
    """A part of one text that the model reads at once."""

    text_number: int
    """Which of the texts, from 0."""
    text: str
    ids: tuple[int, ...]
    """Word pieces, with the special first and last piece."""


class WordPieces:
    """Cuts texts into windows with the tokenizer of the model."""

    def __init__(self, tokenizer_file: Path, *, window_pieces: int = WINDOW_PIECES) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first, self._last = self._tokenizer.encode("").ids
        self._room = window_pieces - 2

    def windows(self, texts: Sequence[str]) -> list[PieceWindow]:
        """Cut each text into as few windows as possible, of about equal length; an empty text has one window."""
        windows = []
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for number, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            ids, offsets = encoding.ids, encoding.offsets
            for start, end in _cuts(encoding.word_ids, room=self._room):
                stretch = text[offsets[start][0] : offsets[end - 1][1]] if ids else text
                windows.append(PieceWindow(number, stretch, (self._first, *ids[start:end], self._last)))
        return windows

    def fit(self, texts: Sequence[str]) -> list[bool]:
        """Tell of each text whether it fits into one window."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(encoding.ids) <= self._room for encoding in encodings]


def _cuts(words: Sequence[int | None], *, room: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each window, in pieces; `words` is the word number of each piece."""
    start, total = 0, len(words)
    while total - start > room:
        windows_left = -(-(total - start) // room)
        end = start + -(-(total - start) // windows_left)
        between = end
        while between > start and words[between] == words[between - 1]:
            between -= 1
        # A word that is as long as a window is cut inside.
        end = between if between > start else end
        yield start, end
        start = end
    yield start, total


def merge(vectors: Vector, windows: Sequence[PieceWindow], *, texts: int) -> Vector:
    """Return one unit vector per text: the mean of its windows' vectors, weighted by their word pieces."""
    import numpy as np

    numbers = np.array([window.text_number for window in windows], dtype=np.intp)
    weights = np.array([len(window.ids) for window in windows], dtype=np.float32)
    merged = np.zeros((texts, vectors.shape[1]), dtype=np.float32)
    np.add.at(merged, numbers, vectors * weights[:, None])
    norms = np.linalg.norm(merged, axis=1, keepdims=True)
    unit: Vector = merged / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit

"""Embed chunks longer than the model's window in several ways, each behind the protocol of an embedder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from ingest_assets.clients.embedding.openvino_conversion import TOKENIZER_FILE, converted
from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder

Matrix = npt.NDArray[np.float32]


class FirstPieces(OpenVINOEmbedder):
    """What sentence-transformers does: the rest of the text is cut off in silence."""

    def __init__(self, *, cache_dir: Path, pieces: int) -> None:
        super().__init__(cache_dir=cache_dir, window_pieces=pieces)
        self.pieces = pieces
        self.model = f"first-{pieces}"

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Cut each text where its pieces end."""
        cuts = [offsets[: self.pieces - 2] for offsets in _offsets(texts, self._cache_dir)]
        return super().embed([text[: cut[-1][1]] if cut else text for text, cut in zip(texts, cuts, strict=True)])


class OverlappingWindows(OpenVINOEmbedder):
    """Windows that share pieces with their neighbours, so that no sentence is parted in all of them."""

    def __init__(self, *, cache_dir: Path, pieces: int, shared: int) -> None:
        super().__init__(cache_dir=cache_dir, window_pieces=pieces)
        self.room, self.shared = pieces - 2, shared
        self.model = f"mean-of-{pieces}-sharing-{shared}"

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Embed every window as a text of its own, and take the mean."""
        slices: list[str] = []
        owners: list[int] = []
        for owner, (text, offsets) in enumerate(zip(texts, _offsets(texts, self._cache_dir), strict=True)):
            count = max(1, -(-(len(offsets) - self.shared) // (self.room - self.shared)))
            step = (len(offsets) - self.room) / (count - 1) if count > 1 else 0
            for number in range(count):
                window = offsets[round(number * step) : round(number * step) + self.room]
                slices.append(text[window[0][0] : window[-1][1]] if window else text)
                owners.append(owner)
        sums = np.zeros((len(texts), self.dimension), dtype=np.float32)
        np.add.at(sums, np.array(owners), super().embed(slices))
        means: Matrix = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return means


def _offsets(texts: Sequence[str], cache_dir: Path) -> list[list[tuple[int, int]]]:
    """Return the characters of each word piece."""
    tokenizer = Tokenizer.from_file(str(converted(None, cache_dir=cache_dir) / TOKENIZER_FILE))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [encoding.offsets for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

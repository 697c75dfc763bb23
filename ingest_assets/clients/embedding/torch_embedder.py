"""Embed texts with sentence-transformers on torch (`INGEST_EMBEDDER=torch`).

It is the reference for the OpenVINO embedder, and a choice for teams that have torch installed anyway. Texts are cut
into windows in the same way (`wordpieces`), so both embedders have the same `model` and can fill the same store.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest_assets.clients.embedding.weights import describe, find_weights
from ingest_assets.clients.embedding.wordpieces import WINDOW_PIECES, WordPieces, identity, merge
from ingest_assets.errors import ConfigError

if TYPE_CHECKING:
    from ingest_assets.records import Vector

BATCH = 16  # half of the library's default: it peaks at 785 MB (benchmarks/embedding/README.md)


class TorchEmbedder:
    """sentence-transformers in float32. The model is loaded when the first text comes.

    Raises:
        ConfigError: the folder of weights holds no model that can be used.
    """

    def __init__(self, weights: Path | None = None, *, window_pieces: int = WINDOW_PIECES, batch: int = BATCH) -> None:
        card = describe(weights)
        self.dimension = card.dimension
        self._window_pieces = min(window_pieces, card.max_pieces)
        self.model = identity(card, window_pieces=self._window_pieces)
        self._weights = weights
        self._batch = batch

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return one float32 unit vector per text, in the same order; every word of a text is in its vector.

        Raises:
            ConfigError: the model is not found, or sentence-transformers is not installed.
        """
        windows = self._pieces.windows(texts)
        vectors = self._transformer.encode(
            [window.text for window in windows],
            batch_size=self._batch,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return merge(vectors, windows, texts=len(texts))

    def fits(self, texts: Sequence[str]) -> list[bool]:
        """Tell of each text whether the model reads it in one window, as sentence-transformers does.

        Raises:
            ConfigError: there is no model, or it cannot be converted.
        """
        return self._pieces.fit(texts)

    @cached_property
    def _folder(self) -> Path:
        return find_weights(self._weights)

    @cached_property
    def _pieces(self) -> WordPieces:
        return WordPieces(self._folder / "tokenizer.json", window_pieces=self._window_pieces)

    @cached_property
    def _transformer(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ConfigError("the torch embedder needs `pip install ingest-assets[torch]`") from error
        transformer = SentenceTransformer(str(self._folder), device="cpu", local_files_only=True)
        transformer.max_seq_length = self._window_pieces
        return transformer

"""Provide a deterministic embedder that counts what it embeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingest_assets_tests.stores.builders import DIMENSION, MODEL, Vector, vector_of


class CountingEmbedder:
    """Gives each text the vector that `builders` gives it."""

    def __init__(self, model: str = MODEL, dimension: int = DIMENSION) -> None:
        self.model, self.dimension = model, dimension
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        self.texts += texts
        return np.stack([vector_of(text, self.dimension) for text in texts])

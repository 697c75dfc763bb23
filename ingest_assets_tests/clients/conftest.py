"""Share the real embedding model between tests; without its weights on this machine they are skipped."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder

ENGLISH = (
    "the harbour town kept its old lighthouse although no ship had called for years and every spring the council voted"
    " to repaint the tower because children liked it and because nobody could say who owned the key"
)


def text(words: int, *, seed: int = 0) -> str:
    """Some English words, the same for the same seed."""
    dice = random.Random(seed)
    return " ".join(dice.choice(ENGLISH.split()) for _ in range(words))


@pytest.fixture(scope="session")
def embedder(model_cache: Path) -> OpenVINOEmbedder:
    """The default embedder."""
    return OpenVINOEmbedder(cache_dir=model_cache)

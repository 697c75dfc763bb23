"""Torch and OpenVINO give the same vectors for the same model, so a store may be filled by either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder
from ingest_assets.clients.embedding.torch_embedder import TorchEmbedder
from ingest_assets_tests.clients.conftest import text

pytestmark = [
    pytest.mark.slow,
    # torch's own start-up warns about its future; none of it is ours
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def torch_embedder(weights: Path) -> TorchEmbedder:
    pytest.importorskip("sentence_transformers", reason="the torch extra is not installed")
    return TorchEmbedder()


def test_both_runtimes_agree_on_short_and_on_long_texts(
    torch_embedder: TorchEmbedder, embedder: OpenVINOEmbedder
) -> None:
    texts = [text(words, seed=words) for words in (2, 30, 120, 300, 500)]
    cosines = (torch_embedder.embed(texts) * embedder.embed(texts)).sum(axis=1)
    assert cosines.min() >= 0.999
    assert torch_embedder.model == embedder.model
    assert torch_embedder.dimension == embedder.dimension


def test_within_one_window_the_vector_is_the_one_of_sentence_transformers(torch_embedder: TorchEmbedder) -> None:
    plain = torch_embedder._transformer.encode([text(150)], normalize_embeddings=True)
    assert np.abs(torch_embedder.embed([text(150)]) - plain).max() < 1e-6

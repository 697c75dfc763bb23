"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest_assets.clients.embedding.openvino_conversion import converted
from ingest_assets.clients.embedding.weights import find_weights
from ingest_assets.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "documents"

# The suite passes with the network off; nothing may try.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents made by other people."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus is not beside this checkout (../shared/corpus/documents)")
    return CORPUS


@pytest.fixture(scope="session")
def samples() -> Path:
    """The demo's files."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of the PyTorch weights."""
    try:
        return find_weights(None)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def model_cache(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the converted model."""
    cache = tmp_path_factory.mktemp("models")
    converted(None, cache_dir=cache)
    return cache

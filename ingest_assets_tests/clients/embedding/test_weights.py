"""The model is found, or the operator is told what to do; what would be converted wrongly is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.clients.embedding.weights import MINILM, describe, find_weights
from ingest_assets.errors import ConfigError


def a_model(folder: Path, *, pooling: str = "pooling_mode_mean_tokens", layers: tuple[str, ...] = ()) -> Path:
    """A folder that looks like a sentence-transformers model."""
    (folder / "1_Pooling").mkdir(parents=True)
    kinds = ("Transformer", "Pooling", *layers)
    (folder / "modules.json").write_text(
        json.dumps([{"type": f"sentence_transformers.models.{kind}"} for kind in kinds])
    )
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({pooling: True}))
    (folder / "config.json").write_text(json.dumps({"hidden_size": 12, "max_position_embeddings": 64}))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_the_default_model_is_known_without_reading_it() -> None:
    assert describe(None) is MINILM


def test_the_pinned_weights_are_one_model_whatever_their_folder_is_called(weights: Path) -> None:
    assert weights.name != MINILM.name
    assert describe(weights) == MINILM


def test_a_folder_of_ones_own_is_described_by_its_content(tmp_path: Path) -> None:
    found = describe(a_model(tmp_path / "mine", layers=("Normalize",)))
    assert (found.name, found.dimension, found.max_pieces) == ("mine", 12, 64)
    assert found.sha256 == hashlib.sha256(b"weights").hexdigest()


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    folder = a_model(tmp_path / "mine")
    before = describe(folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert describe(folder) != before


def test_a_converted_folder_keeps_the_identity_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps(asdict(MINILM)))
    assert describe(tmp_path) == MINILM


def test_a_folder_without_a_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no model\.safetensors"):
        find_weights(tmp_path)


@pytest.mark.parametrize("wrong", [{"pooling": "pooling_mode_cls_token"}, {"layers": ("Dense",)}])
def test_another_way_of_pooling_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="mean pooling"):
        describe(a_model(tmp_path / "mine", **wrong))


def test_a_damaged_card_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ConfigError, match=r"model\.json cannot be read"):
        describe(tmp_path)

"""The graph that is built from the weights gives the vectors of the one that is traced from torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest_assets.clients.embedding.bert_graph import bert_graph, is_bert
from ingest_assets.clients.embedding.openvino_conversion import traced_graph
from ingest_assets.clients.embedding.openvino_runtime import openvino

pytestmark = [
    pytest.mark.slow,
    # torch warns about its own future while it is traced
    pytest.mark.filterwarnings("ignore"),
]

SMALL = {"vocab_size": 90, "max_position_embeddings": 40, "type_vocab_size": 2}


def vectors(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """Run a model in float32 on rows of token ids, padded to one length."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"input_ids": ids, "attention_mask": mask})[0]


def lowest_cosine(folder: Path, rows: Sequence[Sequence[int]]) -> float:
    pytest.importorskip("transformers", reason="the torch extra is not installed")
    return float((vectors(bert_graph(folder), rows) * vectors(traced_graph(folder), rows)).sum(axis=1).min())


def random_rows(*, pieces: int, longest: int) -> list[list[int]]:
    dice = np.random.default_rng(7)
    return [dice.integers(1, pieces, size=size).tolist() for size in (1, 2, longest // 2, longest)]


def test_the_default_model_gives_the_same_vectors_for_two_hundred_passages(weights: Path, samples: Path) -> None:
    from tokenizers import Tokenizer

    names = ("log-book.txt", "radio-procedures.md", "visitors.html")
    words = " ".join((samples / name).read_text(encoding="utf-8") for name in names).split()
    dice = np.random.default_rng(1)
    passages = [" ".join(words[start : start + dice.integers(1, 150)]) for start in dice.integers(0, len(words), 200)]
    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    tokenizer.no_padding()
    assert lowest_cosine(weights, [found.ids[:256] for found in tokenizer.encode_batch(passages)]) >= 0.9999


@pytest.mark.parametrize(("layers", "heads", "hidden"), [(1, 1, 8), (2, 3, 12), (4, 2, 32)])
def test_any_size_of_bert_is_built_right(tmp_path: Path, layers: int, heads: int, hidden: int) -> None:
    transformers = pytest.importorskip("transformers", reason="the torch extra is not installed")
    size = {"num_hidden_layers": layers, "num_attention_heads": heads, "hidden_size": hidden, "intermediate_size": 20}
    transformers.BertModel(transformers.BertConfig(**SMALL, **size, initializer_range=0.5)).save_pretrained(tmp_path)
    assert lowest_cosine(tmp_path, random_rows(pieces=90, longest=40)) >= 0.9999


def test_a_bert_that_was_saved_with_a_head_is_built_from_its_encoder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="the torch extra is not installed")
    size = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 20}
    transformers.BertForMaskedLM(transformers.BertConfig(**SMALL, **size)).save_pretrained(tmp_path)
    assert lowest_cosine(tmp_path, random_rows(pieces=90, longest=40)) >= 0.9999


def test_another_architecture_is_left_to_torch(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="the torch extra is not installed")
    transformers.RobertaConfig().save_pretrained(tmp_path)
    assert not is_bert(tmp_path)


@pytest.mark.parametrize(
    "differs", [{"hidden_act": "relu"}, {"is_decoder": True}, {"position_embedding_type": "relative_key"}]
)
def test_a_bert_of_another_kind_is_left_to_torch(tmp_path: Path, differs: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers", reason="the torch extra is not installed")
    config = transformers.BertConfig(**differs)
    for name, value in differs.items():
        setattr(config, name, value)
    config.save_pretrained(tmp_path)
    assert not is_bert(tmp_path)

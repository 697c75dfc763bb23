"""Build the OpenVINO graph of a BERT sentence encoder straight from its safetensors, without torch.

The graph takes token ids and their mask, both `int64[batch, length]`, and gives `float32[batch, hidden_size]`: the mean
of the last hidden states under the mask, at unit length. Layer by layer it is the encoder of Devlin et al. 2018
(https://arxiv.org/abs/1810.04805) with the parameter names that `transformers` writes. Vectors agree with those of the
graph that OpenVINO traces from torch to a cosine of 0.9999999 (`test_bert_graph.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"


def is_bert(folder: Path) -> bool:
    """Say whether this module can build the model in a folder: BERT with absolute positions and exact GELU."""
    config = _config_of(folder)
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )


def bert_graph(folder: Path) -> Any:
    """Build the `openvino.Model` of the encoder in a folder, with mean pooling and normalisation behind it.

    Raises:
        KeyError: the weights lack a tensor of a BERT encoder.
        safetensors.SafetensorError: the file of weights is damaged.
    """
    from safetensors.numpy import load_file

    from ingest_assets.clients.embedding.openvino_runtime import openvino

    tensors = load_file(folder / WEIGHTS_FILE)
    # A checkpoint of a model with a head names its encoder `bert.…`.
    prefix = "" if "embeddings.word_embeddings.weight" in tensors else "bert."
    graph = _Graph({name.removeprefix(prefix): tensor for name, tensor in tensors.items()}, _config_of(folder))
    return openvino.Model([graph.sentence_vectors()], [graph.ids, graph.mask], "sentence_encoder")


class _Graph:
    """The nodes of one encoder; shapes are noted as B (batch), L (length), H (hidden size), A (attention heads)."""

    def __init__(self, tensors: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        import numpy as np
        from openvino import opset13

        self._np, self._ops = np, opset13
        self._tensors = tensors
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._head_size = int(config["hidden_size"]) // self._heads
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.ids = self._input("input_ids")
        self.mask = self._input("attention_mask")

    def sentence_vectors(self) -> Any:
        """Give the output of the whole graph, [B, H]."""
        ops = self._ops
        states, attended = self._embeddings(), self._attention_mask()
        for number in range(self._layers):
            states = self._layer(states, attended, f"encoder.layer.{number}.")
        mask = ops.unsqueeze(ops.convert(self.mask, "f32"), self._integers(2))  # [B, L, 1]
        total = ops.reduce_sum(ops.multiply(states, mask), self._integers(1))
        count = ops.maximum(ops.reduce_sum(mask, self._integers(1)), self._floats(1e-9))
        unit = ops.normalize_l2(ops.divide(total, count), self._integers(1), 1e-12, "max")
        unit.output(0).set_names({"sentence_embedding"})
        return unit

    def _embeddings(self) -> Any:
        """Add the embeddings of word pieces, positions (from 0) and the one token type, and normalise: [B, L, H]."""
        ops = self._ops
        words = ops.gather(self._weight("embeddings.word_embeddings.weight"), self.ids, self._integers(0))
        length = ops.gather(ops.shape_of(self.ids), self._integers(1), self._integers(0))
        positions = ops.range(self._integers(0), length, self._integers(1), output_type="i64")
        placed = ops.gather(self._weight("embeddings.position_embeddings.weight"), positions, self._integers(0))
        kind = self._constant(self._tensors["embeddings.token_type_embeddings.weight"][:1])
        return self._normalised(ops.add(ops.add(words, kind), placed), "embeddings.LayerNorm")

    def _attention_mask(self) -> Any:
        """Turn the mask of pieces into one of attention, [B, 1, 1, L]: true where a piece may be looked at."""
        ops = self._ops
        return ops.convert(ops.unsqueeze(self.mask, self._integers([1, 2])), "boolean")

    def _layer(self, states: Any, attended: Any, name: str) -> Any:
        """Self-attention, then the feed-forward part, each added to its own input and normalised: [B, L, H]."""
        ops = self._ops
        query, key, value = (
            self._heads_of(states, f"{name}attention.self.{part}") for part in ("query", "key", "value")
        )
        context = ops.transpose(
            ops.scaled_dot_product_attention(query, key, value, attended), self._integers([0, 2, 1, 3])
        )
        joined = ops.reshape(context, self._integers([0, 0, self._heads * self._head_size]), special_zero=True)
        states = self._added(states, self._dense(joined, f"{name}attention.output.dense"), f"{name}attention.output")
        inner = ops.gelu(self._dense(states, f"{name}intermediate.dense"), "erf")
        return self._added(states, self._dense(inner, f"{name}output.dense"), f"{name}output")

    def _heads_of(self, states: Any, name: str) -> Any:
        """Project the states and split them into heads: [B, A, L, H/A]."""
        ops = self._ops
        shape = self._integers([0, 0, self._heads, self._head_size])
        split = ops.reshape(self._dense(states, name), shape, special_zero=True)
        return ops.transpose(split, self._integers([0, 2, 1, 3]))

    def _added(self, states: Any, change: Any, name: str) -> Any:
        return self._normalised(self._ops.add(states, change), f"{name}.LayerNorm")

    def _dense(self, states: Any, name: str) -> Any:
        product = self._ops.matmul(states, self._weight(f"{name}.weight"), transpose_a=False, transpose_b=True)
        return self._ops.add(product, self._weight(f"{name}.bias"))

    def _normalised(self, states: Any, name: str) -> Any:
        """Layer normalisation: mean 0 and variance 1 over H, then scale and shift."""
        ops = self._ops
        even = ops.mvn(states, self._integers([-1]), True, self._epsilon, "inside_sqrt")
        return ops.add(ops.multiply(even, self._weight(f"{name}.weight")), self._weight(f"{name}.bias"))

    def _input(self, name: str) -> Any:
        node = self._ops.parameter([-1, -1], self._np.int64, name)
        node.output(0).set_names({name})
        return node

    def _weight(self, name: str) -> Any:
        return self._constant(self._tensors[name])

    def _constant(self, values: Any) -> Any:
        return self._ops.constant(values.astype(self._np.float32))

    def _integers(self, values: int | list[int]) -> Any:
        return self._ops.constant(self._np.array(values, dtype=self._np.int64))

    def _floats(self, value: float) -> Any:
        return self._ops.constant(self._np.array(value, dtype=self._np.float32))


def _config_of(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    return config

"""Make an embedding model of another length than the default one's, with weights made at random."""

from __future__ import annotations

import json
from pathlib import Path


def small_model(folder: Path) -> Path:
    """Write the model into a folder, as sentence-transformers keeps one; return the folder."""
    from transformers import BertConfig, BertModel, BertTokenizer  # imports torch, for ten seconds

    config = BertConfig(
        vocab_size=120, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    letters = [f"{mark}{letter}" for mark in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    BertTokenizer({piece: number for number, piece in enumerate(pieces)}).save_pretrained(folder)
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Normalize")]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder

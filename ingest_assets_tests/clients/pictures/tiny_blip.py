"""Make a BLIP model small enough for a test: the real code of transformers, random weights, some English words."""

from __future__ import annotations

from pathlib import Path

from ingest_assets_tests.clients.conftest import ENGLISH

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_MARKS = ["[DEC]", "[ENC]"]


def write_blip(folder: Path, *, seed: int = 0) -> Path:
    """Write weights, configuration, picture processor and tokenizer into a folder, as they lie on the hub."""
    import torch
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    words = [*_SPECIAL, *sorted(set(ENGLISH.split())), *_MARKS]
    layers = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BlipConfig(
        text_config={
            **layers,
            "vocab_size": len(words),
            "encoder_hidden_size": 16,
            "projection_dim": 16,
            "max_position_embeddings": 64,
            "bos_token_id": words.index("[DEC]"),
            "eos_token_id": words.index("[SEP]"),
            "sep_token_id": words.index("[SEP]"),
            "pad_token_id": words.index("[PAD]"),
            "initializer_range": 1.0,
        },
        vision_config={**layers, "image_size": 32, "patch_size": 8, "projection_dim": 16, "initializer_range": 0.5},
        projection_dim=16,
        image_text_hidden_size=16,
    )
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(words)}
    BertTokenizerFast(vocab=vocabulary, additional_special_tokens=_MARKS).save_pretrained(folder)
    return folder


def write_as_cached(folder: Path, cache: Path, name: str) -> Path:
    """Lay a model into a hub cache as `huggingface_hub` does; return its snapshot."""
    kept = cache / f"models--{name.replace('/', '--')}"
    snapshot = kept / "snapshots" / "c0ffee"
    snapshot.parent.mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("c0ffee")
    folder.rename(snapshot)
    return snapshot

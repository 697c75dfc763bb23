"""Convert the weights of an embedding model to OpenVINO, once, and keep the result under the hash of the weights.

The default model and every other BERT are built by `bert_graph`, which needs only the weights and takes a second. Other
architectures are traced by `openvino.convert_model` from torch and transformers, where these are installed; that takes
half a minute and needs no `optimum` (which pins transformers to 4.57). Both happen in a child process, so that the
memory that they take is given back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest_assets.clients.embedding.bert_graph import bert_graph, is_bert
from ingest_assets.clients.embedding.weights import CARD_FILE, describe, find_weights
from ingest_assets.errors import ConfigError
from ingest_assets.local_files import locked

VERSION = "1"
"""Is raised when the same weights are converted to a model with other vectors."""
MODEL_FILE = "model.xml"
TOKENIZER_FILE = "tokenizer.json"
_TIMEOUT_S = 600  # tracing takes 30 s; a cold disk under load takes ten times as long


def converted(folder: Path | None, *, cache_dir: Path) -> Path:
    """Return a folder with the converted model, its tokenizer and its card; convert first if there is none.

    Raises:
        ConfigError: there are no weights, or the conversion failed, or it needs torch and there is none.
    """
    if folder is not None and (folder / CARD_FILE).is_file():
        return folder
    target = cache_dir / f"{describe(folder).sha256[:12]}-{VERSION}"
    if target.is_dir():
        return target
    # A second process waits for the result of the first instead of converting beside it.
    with locked(target.with_suffix(".lock")):
        if not target.is_dir():
            _convert_in_child(folder, target=target)
    return target


def _convert_in_child(folder: Path | None, *, target: Path) -> None:
    weights = find_weights(folder)
    # Written under a temporary name and renamed: a process that is killed half way leaves nothing that looks finished.
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        command = [sys.executable, "-m", __name__, str(weights), str(scratch)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ConfigError(f"{weights}: converting the embedding model failed ({reason}); {_remedy(weights)}")
        card = asdict(describe(folder))
        (scratch / CARD_FILE).write_text(json.dumps(card, indent=1), encoding="utf-8")
        scratch.chmod(0o755)  # mkdtemp makes 0700, which would lock out the user that the service runs as
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _remedy(weights: Path) -> str:
    if is_bert(weights):
        return "its files may be damaged: download the model again"
    return "only a BERT can be converted without torch: `pip install 'ingest-assets[torch]'` once, or name a BERT"


def _convert(weights: Path, target: Path) -> None:
    """Write the converted model and its tokenizer into a folder."""
    from ingest_assets.clients.embedding.openvino_runtime import openvino

    model = bert_graph(weights) if is_bert(weights) else traced_graph(weights)
    openvino.save_model(model, target / MODEL_FILE, compress_to_fp16=False)
    shutil.copyfile(weights / TOKENIZER_FILE, target / TOKENIZER_FILE)


def traced_graph(weights: Path) -> Any:
    """Trace an `openvino.Model` from torch, for the architectures that `bert_graph` does not know.

    Raises:
        ImportError: torch or transformers is not installed.
    """
    import torch
    from transformers import AutoModel

    from ingest_assets.clients.embedding.openvino_runtime import openvino

    class MeanPooled(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow torch
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(weights, dtype=torch.float32, attn_implementation="sdpa").eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, p=2, dim=1)

    example = {name: torch.ones((2, 8), dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        return openvino.convert_model(
            MeanPooled(), example_input=example, input=[("input_ids", [-1, -1]), ("attention_mask", [-1, -1])]
        )


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))

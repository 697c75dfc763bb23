"""PyTorch weights in, a folder with the OpenVINO model and its tokenizer out; once, kept under the weights' hash.

Torch and transformers work in a child process: their 500 MB end with it, and where the result is kept already neither
is needed nor imported. `openvino.convert_model` reads the module directly, so no `optimum` (which pins transformers
to 4.57) is needed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest_assets.clients.embedding.weights import CARD_FILE, describe, find_weights
from ingest_assets.errors import ConfigError

VERSION = "1"
"""Goes up whenever the same weights are converted to something else."""
MODEL_FILE = "model.xml"
TOKENIZER_FILE = "tokenizer.json"
_TIMEOUT_S = 600  # a conversion takes 10 s; a cold disk under load ten times that


def converted(folder: Path | None, *, cache_dir: Path) -> Path:
    """Return a folder with the converted model, its tokenizer and its card, converting first where it is missing.

    Raises:
        ConfigError: there are no weights, or no torch to convert them with, or the conversion failed.
    """
    if folder is not None and (folder / CARD_FILE).is_file():
        return folder
    target = cache_dir / f"{describe(folder).sha256[:12]}-{VERSION}"
    if target.is_dir():
        return target
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(target.with_suffix(".lock")):
        if not target.is_dir():
            _convert_in_child(folder, target=target)
    return target


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let a second process wait for the first one's result instead of loading torch beside it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _convert_in_child(folder: Path | None, *, target: Path) -> None:
    weights = find_weights(folder)
    # A temporary name and a rename: a process killed half way leaves nothing that looks finished.
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        command = [
            sys.executable,
            "-m",
            "ingest_assets.clients.embedding.openvino_conversion",
            str(weights),
            str(scratch),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ConfigError(
                f"{weights}: converting the embedding model failed ({reason}); the conversion needs "
                "`pip install ingest-assets[torch]` once, or name a folder that is converted already"
            )
        card = asdict(describe(folder))
        (scratch / CARD_FILE).write_text(json.dumps(card, indent=1), encoding="utf-8")
        scratch.chmod(0o755)  # mkdtemp's 0700 would lock out the user that the service runs as
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _convert(weights: Path, target: Path) -> None:
    """Convert in this process: token ids and their mask in, one unit vector per row out."""
    import torch
    from transformers import AutoModel

    from ingest_assets.clients.embedding.openvino_runtime import openvino

    class MeanPooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = AutoModel.from_pretrained(weights, dtype=torch.float32, attn_implementation="sdpa").eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, p=2, dim=1)

    example = {name: torch.ones((2, 8), dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        model = openvino.convert_model(
            MeanPooled(), example_input=example, input=[("input_ids", [-1, -1]), ("attention_mask", [-1, -1])]
        )
    openvino.save_model(model, target / MODEL_FILE, compress_to_fp16=False)
    shutil.copyfile(weights / TOKENIZER_FILE, target / TOKENIZER_FILE)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))

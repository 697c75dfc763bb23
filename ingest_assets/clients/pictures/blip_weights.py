"""Find the weights of a BLIP model, and say how much memory they need.

Looking for them needs no torch, transformers or network and takes less than a millisecond, because every fingerprint
asks. A name is looked up in the model hub's cache, in the layout of `huggingface_hub`: `refs/main` names the commit,
`snapshots/COMMIT` holds the files.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from math import ceil
from pathlib import Path

from ingest_assets.errors import ConfigError

WEIGHTS = "model.safetensors"
_NEEDED = (WEIGHTS, "config.json", "preprocessor_config.json")
_WORDS = ("tokenizer.json", "vocab.txt")
"""The tokenizer's words are in one of these."""
_FETCHED = [WEIGHTS, "*.json", "vocab.txt"]
"""Without the copies of the weights that the hub keeps for other libraries."""
_LIBRARIES = ("torch", "transformers")

# Measured with weights of the real size: the process holds 410 MB and maps its weights from their file. The cap does
# not count mapped pages, but RLIMIT_DATA does. It is 0.9 of the cap plus 192 MB; 625 MB and the weights must fit below
# it. The run itself (250 MB), OCR (350 MB) and BLIP together hold less than such a cap.
_BESIDE_WEIGHTS_MB = 625 - 192
_LIMIT_SHARE = 0.9


def on_disk(model: str) -> Path | None:
    """Return the folder that holds a model, given by name or folder; None if it is not on this machine."""
    folder = Path(model) if Path(model).is_dir() else _in_cache(model)
    return folder if folder is not None and _is_whole(folder) else None


def can_run(model: str) -> bool:
    """Tell whether a model's weights and the libraries that it runs on are on this machine."""
    return on_disk(model) is not None and all(find_spec(library) for library in _LIBRARIES)


def find_weights(model: str) -> Path:
    """Return the folder that holds a model; fetch it from the hub if it is not there and fetching is allowed.

    Raises:
        ConfigError: it is not found.
    """
    found = on_disk(model) or (None if Path(model).is_dir() else _from_hub(model))
    if found is None or not _is_whole(found):
        wanted = ", ".join((*_NEEDED, " or ".join(_WORDS)))
        raise ConfigError(
            f"INGEST_CAPTIONS=blip: the model {model} is not on this machine. Unset HF_HUB_OFFLINE so that it can be "
            f"fetched once, or name a folder with {wanted} in INGEST_BLIP_MODEL, or set INGEST_CAPTIONS=ocr"
        )
    return found


def identity(model: str) -> str:
    """Name a model by its name on the hub, or by its folder's name and the size of the weights."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    with suppress(OSError):
        return f"{folder.resolve().name}-{(folder / WEIGHTS).stat().st_size}"
    return folder.resolve().name


def needed_cap_mb(model: str) -> int:
    """Return the cap that a run with this model and OCR needs, in MB; 0 if the model is not on disk."""
    folder = on_disk(model)
    if folder is None:
        return 0
    weights_mb = (folder / WEIGHTS).stat().st_size / (1 << 20)
    return ceil((_BESIDE_WEIGHTS_MB + weights_mb) / _LIMIT_SHARE)


def _in_cache(model: str) -> Path | None:
    from huggingface_hub.constants import HF_HUB_CACHE

    kept = Path(HF_HUB_CACHE) / f"models--{model.replace('/', '--')}"
    with suppress(OSError):
        return kept / "snapshots" / (kept / "refs/main").read_text(encoding="ascii").strip()
    return None


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _NEEDED) and any((folder / name).is_file() for name in _WORDS)


def _from_hub(model: str) -> Path | None:
    """Fetch a model. The library itself obeys HF_HUB_OFFLINE and HF_HOME."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(model, allow_patterns=_FETCHED))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, HFValidationError, OSError):
        return None

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from ingest_assets.clients.pictures import blip_weights
from ingest_assets.clients.pictures.blip_weights import can_run, find_weights, identity, needed_cap_mb, on_disk
from ingest_assets.errors import ConfigError
from ingest_assets_tests.clients.pictures.tiny_blip import write_as_cached

NAME = "somebody/blip-small"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a model, as far as looking for it goes."""
    folder = tmp_path / "blip"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json"):
        (folder / name).write_bytes(b"{}")
    return folder


def test_a_folder_is_taken_where_it_is_whole(folder: Path) -> None:
    assert on_disk(str(folder)) == folder
    (folder / "preprocessor_config.json").unlink()
    assert on_disk(str(folder)) is None
    with pytest.raises(ConfigError, match=r"a folder with model\.safetensors"):
        find_weights(str(folder))


def test_a_name_is_found_in_the_hubs_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert on_disk(NAME) is None
    assert not can_run(NAME)
    snapshot = write_as_cached(folder, tmp_path / "cache", NAME)
    assert find_weights(NAME) == snapshot
    assert can_run(NAME)
    (snapshot / "model.safetensors").unlink()  # half fetched
    assert not can_run(NAME)


def test_without_its_libraries_a_model_cannot_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blip_weights, "_LIBRARIES", ("torch", "a_library_that_is_not_there"))
    assert not can_run(str(folder))


def test_a_name_is_the_same_before_and_after_it_is_fetched(folder: Path) -> None:
    assert identity(NAME) == NAME
    assert identity(str(folder)) == "blip-2"


def test_a_cap_must_hold_the_weights(folder: Path) -> None:
    without = needed_cap_mb(str(folder))
    (folder / "model.safetensors").write_bytes(b"x" * (9 << 20))
    assert needed_cap_mb(str(folder)) == pytest.approx(without + 10, abs=1)
    assert needed_cap_mb(NAME) == 0


def test_looking_for_weights_imports_nothing_heavy_and_asks_nobody(folder: Path) -> None:
    program = (
        "import socket, sys\n"
        "socket.socket.connect = lambda *_: sys.exit('asked the network')\n"
        "from ingest_assets.clients.pictures.blip_weights import can_run\n"
        f"print(can_run({str(folder)!r}), can_run('nobody/nothing'))\n"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["True False", "[]"]

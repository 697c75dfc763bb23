"""Test how a home gets its dagster.yaml, and how the file of an earlier release is brought up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ingest_assets.config.home import changed_sections, prepare_home
from ingest_assets.config.settings import load_settings

OF_0_1_0 = """\
run_launcher:
  module: ingest_assets.launcher.run_launcher
  class: MemoryCappedRunLauncher
  config:
    timeout_s: 60.0  # ours: no file of ours takes longer
    preload_modules:
      - ingest_assets.clients.openvino_embedder
      - ingest_assets.parsers.text
      - ingest_assets.parsers.textual_of_ours
      - ingest_assets.stores.chroma
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 2
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))  # prepare_home sets it; this puts it back afterwards
    return tmp_path / "home"


def test_a_new_home_has_the_shipped_settings(home: Path) -> None:
    prepare_home(load_settings())
    assert changed_sections(home) == []


def test_the_settings_of_an_earlier_release_name_the_modules_of_today_and_keep_their_edits(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text(OF_0_1_0)
    prepare_home(load_settings())
    text = (home / "dagster.yaml").read_text()
    launcher = yaml.safe_load(text)["run_launcher"]
    assert launcher["module"] == "memory_capped_launcher.run_launcher"
    assert launcher["config"] == {
        "timeout_s": 60.0,
        "preload_modules": [
            "ingest_assets.clients.embedding.openvino_embedder",
            "ingest_assets.parsers.text.plain",
            "ingest_assets.parsers.textual_of_ours",
            "ingest_assets.stores.chroma.store",
        ],
    }
    assert "# ours: no file of ours takes longer" in text
    assert yaml.safe_load(text)["run_coordinator"] == {
        "module": "ingest_assets.defs.run_coordinator",
        "class": "TurnTakingRunCoordinator",
        "config": {"dequeue_interval_seconds": 2},
    }


def test_settings_of_today_are_not_written_again(home: Path) -> None:
    prepare_home(load_settings())
    before = (home / "dagster.yaml").stat()
    prepare_home(load_settings())
    after = (home / "dagster.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

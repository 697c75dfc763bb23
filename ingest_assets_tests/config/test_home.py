"""Test how a home gets its dagster.yaml, and how the file of an earlier release is brought up to date."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from ingest_assets.config.home import changed_sections, prepare_home, storage_problem
from ingest_assets.config.settings import load_settings
from ingest_assets.errors import ConfigError

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
    assert changed_sections(load_settings()) == []


def test_the_classes_and_modules_of_ours_that_the_shipped_settings_name_are_there(home: Path) -> None:
    prepare_home(load_settings())
    shipped = yaml.safe_load((home / "dagster.yaml").read_text())
    for part in (shipped["run_launcher"], shipped["run_coordinator"]):
        assert hasattr(import_module(part["module"]), part["class"])
        config = part.get("config", {})
        for module in [*config.get("preload_modules", []), *config.get("learn_modules", [])]:
            assert find_spec(module) is not None


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
        "module": "ingest_assets.defs.queue.run_coordinator",
        "class": "TurnTakingRunCoordinator",
        "config": {"dequeue_interval_seconds": 2},
    }


def test_settings_of_today_are_not_written_again(home: Path) -> None:
    prepare_home(load_settings())
    before = (home / "dagster.yaml").stat()
    prepare_home(load_settings())
    after = (home / "dagster.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


DATABASE = "postgresql://ann:s3cret@db.example.org/dagster"


def test_a_new_home_keeps_its_runs_in_the_database_that_the_setting_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_INSTANCE_DB", DATABASE)
    prepare_home(load_settings())
    text = (home / "dagster.yaml").read_text()
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "INGEST_INSTANCE_DB"}}}
    assert "s3cret" not in text
    assert changed_sections(load_settings()) == []


def test_a_home_with_its_runs_in_files_is_not_moved_in_silence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_home(load_settings())
    before = (home / "dagster.yaml").read_text()
    monkeypatch.setenv("INGEST_INSTANCE_DB", DATABASE)
    with pytest.raises(ConfigError, match="keeps runs in SQLite files") as refused:
        prepare_home(load_settings())
    assert "s3cret" not in str(refused.value)
    assert (home / "dagster.yaml").read_text() == before
    added = re.search("`(storage: .+)`", str(refused.value))
    assert added is not None
    (home / "dagster.yaml").write_text(f"{before}{added[1]}\n")
    assert storage_problem(load_settings()) == ""


def test_a_home_with_its_runs_in_a_database_says_which_setting_is_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_INSTANCE_DB", DATABASE)
    prepare_home(load_settings())
    monkeypatch.delenv("INGEST_INSTANCE_DB")
    with pytest.raises(ConfigError, match="INGEST_INSTANCE_DB names, and that is not set"):
        prepare_home(load_settings())


@pytest.mark.parametrize("url", ["mysql://db/x", "postgresql://db", "db.example.org"])
def test_what_is_no_address_of_a_database_is_a_wrong_setting(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_INSTANCE_DB", url)
    with pytest.raises(ConfigError, match="INGEST_INSTANCE_DB: write postgresql://"):
        load_settings()

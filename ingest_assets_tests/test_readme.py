"""Test that what README and operations tell people to type works, and that what they name exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_assets.config.settings import Settings
from ingest_assets_tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/stores.md", "docs/building_blocks.md")
]
COMMANDS = re.findall(r"^\$ (.+)$", README, flags=re.MULTILINE)
TOUR = [command for command in COMMANDS if shlex.split(command)[0] in {"ingest", "dagster"}]


def test_every_setting_that_a_page_names_exists() -> None:
    settings = re.compile(r"(?<![A-Z_])(?:INGEST_[A-Z_]+[A-Z]|MONGO_[A-Z]+|ATLAS_VECTOR|MAX_FILE_MB|DAGSTER_HOME)\b")
    named = {name.removesuffix("_FILE") for page in PAGES for name in settings.findall(page)}
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert {"DAGSTER_HOME", "INGEST_PGVECTOR"} <= named <= known | {"MAX"}


def test_every_make_target_that_a_page_names_exists() -> None:
    named = {word for page in PAGES for word in re.findall(r"(?:`|\$ )make (\w+)", page)}
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"demo", "test", "dev", "quick", "check", "help"} <= named <= targets


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_tour_works_as_it_is_written(tmp_path: Path, model_cache: Path) -> None:
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path / "home"),
        "INGEST_MODEL_CACHE": str(model_cache),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    assert len(TOUR) >= 9
    for command in TOUR:
        done = subprocess.run(
            shlex.split(command), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

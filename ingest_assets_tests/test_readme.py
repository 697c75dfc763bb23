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
COMMANDS = re.findall(r"^\$ (.+)$", README, flags=re.MULTILINE)
TOUR = [command for command in COMMANDS if shlex.split(command)[0] in {"ingest", "dagster"}]


def test_every_setting_stands_in_the_readme_and_no_other() -> None:
    settings = r"\b(?:INGEST_[A-Z_]+|MONGO_[A-Z]+|ATLAS_VECTOR|MAX_FILE_MB|DAGSTER_HOME)\b"
    named = set(re.findall(settings, README))
    assert named == {str(field.validation_alias) for field in Settings.model_fields.values()}


def test_every_make_target_that_is_named_exists() -> None:
    named = {
        word for text in (README, (ROOT / "docs/operations.md").read_text()) for word in re.findall(r"make (\w+)", text)
    }
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"demo", "test", "dev", "check", "help"} <= named <= targets | {"check"}


def test_every_file_that_is_linked_exists() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_tree_names_what_is_there() -> None:
    named = re.findall(r"^  (\S+(?: \S+\.py)*)  ", README, flags=re.MULTILINE)
    paths = [name for line in named for name in line.split()]
    assert len(paths) >= 8
    assert [path for path in paths if not (ROOT / "ingest_assets" / path).exists()] == []


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

"""Test that a `defs.yaml` adds the assets to another project, without Python."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.components import IngestAssetsComponent
from ingest_assets.errors import ConfigError
from ingest_assets_tests.conftest import ROOT

# Dagster merges definitions by copying them, and then warns of a parameter of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `execution_type`")

DEFS = """
type: ingest_assets.components.IngestAssetsComponent
attributes:
  settings:
    DAGSTER_HOME: "{{ env.TEAM_HOME }}"
    INGEST_CHUNK_MAX_WORDS: "200"
    INGEST_CHUNK_MIN_WORDS: "50"
"""
PYPROJECT = """
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "team_project"
"""


@pytest.fixture
def team_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of somebody else with an asset of its own and our component."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    defs = tmp_path / "team_project" / "defs"
    (defs / "files").mkdir(parents=True)
    (tmp_path / "team_project" / "__init__.py").touch()
    (defs / "__init__.py").touch()
    (defs / "files" / "defs.yaml").write_text(DEFS)
    (defs / "report.py").write_text("import dagster as dg\n\n@dg.asset\ndef report() -> int:\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TEAM_HOME", str(tmp_path / "home"))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "team_project"]:
        del sys.modules[name]


def test_a_defs_yaml_adds_assets_checks_jobs_sensors_and_schedules(team_project: Path) -> None:
    defs = dg.load_from_defs_folder(path_within_project=team_project)
    names = {key.to_user_string() for key in defs.resolve_all_asset_keys()}
    assert names == {"raw_files", "parsed_documents", "image_captions", "chunks", "embeddings", "report"}
    assert defs.resolve_job_def("ingest_file").name == "ingest_file"
    assert defs.resolve_sensor_def("upload_bucket").name == "upload_bucket"
    assert defs.resolve_schedule_def("out_of_date").name == "out_of_date"
    assert len(list(defs.get_repository_def().asset_checks_defs_by_key)) == 3
    project = defs.get_repository_def().get_top_level_resources()["ingest_project"]
    assert project.config_schema.default_value["bucket"] == str(team_project / "home" / "bucket")


def test_a_wrong_setting_in_a_defs_yaml_is_named(team_project: Path) -> None:
    path = team_project / "team_project" / "defs" / "files" / "defs.yaml"
    path.write_text(DEFS + '    INGEST_STOREE: "chroma"\n')
    with pytest.raises(Exception, match=r"defs\.yaml") as caught:
        dg.load_from_defs_folder(path_within_project=team_project).get_repository_def()
    (problem,) = [error for error in chain(caught.value) if isinstance(error, ConfigError)]
    assert "INGEST_STOREE: there is no such setting" in str(problem)


def chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *chain(error.__cause__ or error.__context__)]


def test_dagsters_tools_find_the_component_by_the_packages_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert IngestAssetsComponent.__module__ in project["entry-points"]["dagster_dg_cli.registry_modules"].values()

"""Test the example project: copied as a user would copy it, launched for real, capped, and ended by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from memory_capped_launcher.dagster_private import ReconstructableRepository
from memory_capped_launcher_tests.conftest import Host, outcome

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "examples/reports"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    home = tmp_path_factory.mktemp("example") / "home"
    shutil.copytree(EXAMPLE, home, ignore=shutil.ignore_patterns("__pycache__"))
    (location,) = yaml.safe_load((home / "workspace.yaml").read_text())["load_from"]
    file = location["python_file"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        one = Host(
            home, ReconstructableRepository.for_file(str(home / file["relative_path"]), file["attribute"], str(home))
        )
        yield one
        one.close()


@pytest.fixture
def run(host: Host) -> Callable[[str], dg.DagsterRun]:
    def launch(job_name: str) -> dg.DagsterRun:
        job = host.repository.get_reconstructable_job(job_name)
        definition = job.get_definition()
        run = host.instance.create_run_for_job(
            definition, tags=definition.run_tags, job_code_origin=job.get_python_origin()
        )
        host.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]  # it needs no workspace
        return host.end_of(run.run_id)

    return launch


def test_a_job_that_fits_under_its_cap_succeeds(host: Host, run: Callable[[str], dg.DagsterRun]) -> None:
    ended = run("sum_squares")
    assert (ended.status, outcome(ended)) == (dg.DagsterRunStatus.SUCCESS, "succeeded")
    assert ended.tags["memory_capped/cap_mb"] == "200"
    assert "Memory cap 200 MB, by" in host.said(ended.run_id)


def test_a_job_that_needs_more_ends_as_out_of_memory(host: Host, run: Callable[[str], dg.DagsterRun]) -> None:
    ended = run("keep_every_square")
    assert (ended.status, outcome(ended)) == (dg.DagsterRunStatus.FAILURE, "out_of_memory")
    assert "Out of memory: " in host.said(ended.run_id)

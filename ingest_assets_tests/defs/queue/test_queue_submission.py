"""Test that runs enter Dagster's queue without its daemon, as the daemon would have put them there."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.defs.queue.queue_submission import SUBMITTED_BY_TAG, RunQueue
from ingest_assets_tests.conftest import ROOT
from ingest_assets_tests.defs.queue import killed_submitter

pytestmark = pytest.mark.slow


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with the project's own dagster.yaml, and so with its run coordinator."""
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def queue(instance: dg.DagsterInstance, tmp_path: Path) -> RunQueue:
    definitions = build(Settings.model_validate({"DAGSTER_HOME": tmp_path}))
    return RunQueue(instance, definitions, submitted_by="test")


def test_a_request_becomes_a_queued_run_that_the_daemon_can_start(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    request = dg.RunRequest(job_name="ingest_file", partition_key="ann:p:a.txt", tags={"dagster/priority": "-3"})
    run = instance.get_run_by_id(queue(instance, tmp_path).submit(request))
    assert run is not None
    assert run.status is dg.DagsterRunStatus.QUEUED
    assert run.tags["dagster/partition"] == "ann:p:a.txt"
    assert run.tags["dagster/priority"] == "-3"
    assert run.job_code_origin is not None
    assert "ingest_assets.definitions" in run.job_code_origin.repository_origin.code_pointer.describe()
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == "ingest_assets"
    planned = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    assert len(planned.records) == 5, "the UI shows the file's assets as being made"


def test_a_run_with_configuration_keeps_it(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    config = {"ops": {"remove_what_is_kept": {"config": {"file_id": "ann:p:a.txt"}}}}
    filled = queue(instance, tmp_path)
    for request in (dg.RunRequest(job_name="purge_file", run_config=config), dg.RunRequest(job_name="validate_store")):
        run = instance.get_run_by_id(filled.submit(request))
        assert run is not None
        assert (run.job_name, run.run_config) == (request.job_name, request.run_config)


def test_a_run_that_a_killed_process_only_created_is_queued_by_the_next(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    own = (tmp_path / "dagster.yaml").read_text()
    killing = own.replace("ingest_assets.defs.queue.run_coordinator", killed_submitter.__name__)
    killing = killing.replace("TurnTakingRunCoordinator", "KillingRunCoordinator")
    (tmp_path / "dagster.yaml").write_text(killing)
    submitter = [sys.executable, "-m", killed_submitter.__name__, str(tmp_path), "ann:p:a.txt"]
    killed = subprocess.run(submitter, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (tmp_path / "dagster.yaml").write_text(own)
    (created,) = instance.get_runs()
    assert created.status is dg.DagsterRunStatus.NOT_STARTED
    run_id = created.run_id
    job = build(Settings.model_validate({"DAGSTER_HOME": tmp_path})).resolve_job_def("ingest_file")
    others = instance.create_run_for_job(job, tags={SUBMITTED_BY_TAG: "another"})
    assert queue(instance, tmp_path).resume() == [run_id]
    assert queue(instance, tmp_path).resume() == []
    runs = [instance.get_run_by_id(each) for each in (run_id, others.run_id)]
    statuses = [run.status for run in runs if run is not None]
    assert statuses == [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]

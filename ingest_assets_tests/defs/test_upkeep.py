"""Test the jobs that validate, repair and optimize the store, run as Dagster runs them."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from ingest_assets.wiring import open_store
from ingest_assets_tests.defs.conftest import Project
from testing.damage import lose_rows

pytestmark = pytest.mark.slow


def run(project: Project, name: str, **config: Any) -> dg.ExecuteInProcessResult:
    job = project.definitions.resolve_job_def(name)
    (op,) = job.nodes
    run_config = {"ops": {op.name: {"config": config}}} if config else {}
    return job.execute_in_process(instance=project.instance, run_config=run_config, raise_on_error=False)


def reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    return told.description or ""


def test_what_disagrees_fails_the_nightly_run_and_is_mended_by_a_job(project: Project) -> None:
    file_id = project.put("tides.md", "# Tides\n\nThe tide table hangs beside the boathouse door.\n")
    assert project.ingest(file_id).success
    assert run(project, "validate_store").success
    store = project.parts.store
    lose_rows(open_store(project.settings), file_id)
    failed = run(project, "validate_store")
    assert not failed.success
    assert "1 × a record without chunks" in reason(failed)
    assert run(project, "repair_store").success
    assert not run(project, "validate_store").success
    assert run(project, "repair_store", apply=True).success
    assert run(project, "validate_store").success
    assert len(store.chunks(file_id)) == 1


def test_the_store_is_tidied_by_a_job_and_its_checks_still_pass(project: Project) -> None:
    file_id = project.put("tides.md", "# Tides\n\nThe tide table hangs beside the boathouse door.\n")
    assert project.ingest(file_id).success
    assert run(project, "optimize_store", duplicates="FILE").success
    flags = [row.flags for row in project.parts.store.rows(file_id)]
    assert all(each is not None and each.rag_strict for each in flags)
    assert project.ingest(file_id).success


def test_the_store_is_validated_every_night(project: Project) -> None:
    schedule = project.definitions.resolve_schedule_def("nightly_validation")
    assert (schedule.job_name, schedule.cron_schedule) == ("validate_store", "30 5 * * *")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING

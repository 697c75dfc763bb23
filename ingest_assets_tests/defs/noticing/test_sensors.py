"""Test the sensors and the nightly schedule on a real instance, bucket and store."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unicodedata import normalize

import dagster as dg
import pytest

from ingest_assets.defs.noticing.sensors import lost_runs, out_of_memory, upload_bucket
from ingest_assets.defs.noticing.wanted_runs import wanted_runs
from ingest_assets.defs.queue.requesting_process import PROCESS_TAG, this_process
from ingest_assets.defs.schedules import stale_files
from ingest_assets.ledger_records import State
from ingest_assets_tests.defs.conftest import Project
from memory_capped_launcher.outcomes import CAP_TAG, OUTCOME_TAG
from memory_capped_launcher.register import Register, RunEntry

pytestmark = pytest.mark.slow


def tick(project: Project) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=project.instance, definitions=project.definitions, sensor_name="upload_bucket"
    )
    result = upload_bucket(context, ingest_project=project.parts)
    assert isinstance(result, dg.SensorResult)
    return result


def tick_again(project: Project) -> dg.SensorResult:
    """Tick twice: what is missing at both looks is gone."""
    tick(project)
    return tick(project)


def asked(result: dg.SensorResult) -> list[tuple[str | None, str | None]]:
    return [
        (request.job_name, request.partition_key or request.tags.get("ingest/file_id"))
        for request in result.run_requests or []
    ]


def test_a_new_file_gets_its_partition_and_a_run(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    assert asked(tick(project)) == [("ingest_file", file_id)]
    assert list(project.instance.get_dynamic_partitions("files")) == [file_id]


def test_an_ingested_file_is_left_alone_until_it_changes_or_goes(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    project.ingest(file_id)
    assert asked(tick(project)) == []
    project.put("a.txt", "hallo")
    assert asked(tick(project)) == [("ingest_file", file_id)]
    project.path("a.txt").unlink()
    first = tick(project)
    assert asked(first) == []
    assert asked(tick(project)) == [("purge_file", file_id)]


def test_a_file_that_failed_is_not_tried_at_every_tick(project: Project) -> None:
    project.ingest(project.put("a.txt", b""))
    assert asked(tick(project)) == []


def test_a_file_in_a_running_run_is_not_asked_for_again(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    tick(project)
    job = project.definitions.resolve_job_def("ingest_file")
    project.instance.create_run_for_job(job, tags={"dagster/partition": file_id}, status=dg.DagsterRunStatus.STARTED)
    assert asked(tick(project)) == []


def test_a_half_copied_file_waits_until_it_is_whole(tmp_path: Path, model_cache: Path) -> None:
    slow = Project(tmp_path / "home", model_cache, INGEST_SETTLE_S=3600)
    slow.put("a.txt", "hel")
    first = tick(slow)
    assert asked(first) == []
    assert slow.parts.pending.growing(limit=10) == ["ann/p/a.txt"]
    assert "1 objects looked at" in str(first.skip_reason)


def test_more_files_than_a_tick_takes_come_in_the_next(project: Project) -> None:
    file_ids = [project.put(f"{number}.txt", "hello") for number in range(3)]
    assert len(wanted_runs(project.instance, project.parts, within_s=9, limit=2).ingest) == 2
    project.ingest(file_ids[0])
    assert [
        each.file_id for each in wanted_runs(project.instance, project.parts, within_s=9, limit=2).ingest
    ] == file_ids[1:]


def failed(project: Project, file_id: str, **tags: str) -> dg.RunFailureSensorContext:
    """Let a run of a file fail; return what a failure sensor is given."""
    job = project.definitions.resolve_job_def("ingest_file")
    run = project.instance.create_run_for_job(job, tags={"dagster/partition": file_id, **tags})
    project.instance.report_run_failed(run, "killed")
    failure = project.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[0]
    event = failure.event_log_entry.dagster_event
    assert event is not None
    return dg.build_run_status_sensor_context(
        "failure", event, project.instance, project.instance.get_run_by_id(run.run_id) or run
    ).for_run_failure()


OOM = {OUTCOME_TAG: "out_of_memory", CAP_TAG: "300"}


def test_out_of_memory_asks_for_half_the_window_and_says_so(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    context = failed(project, file_id, **OOM, **{"ingest/window": "8", "memory_capped/memory_limit_mb": "300"})
    assert asked(tick(project)) == []  # nobody else asks for it meanwhile
    request = out_of_memory(context, ingest_project=project.parts)
    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, request.tags["ingest/window"]) == (file_id, "4")
    assert request.tags["memory_capped/memory_limit_mb"] == "300"
    assert "repeated with 4" in project.record(file_id).error
    assert asked(tick(project)) == []
    again = out_of_memory(context, ingest_project=project.parts)
    assert isinstance(again, dg.RunRequest)
    assert (again.run_key, again.tags) == (request.run_key, request.tags)


def test_where_no_smaller_attempt_is_left_the_file_has_failed_by_name(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    said = out_of_memory(failed(project, file_id, **OOM, **{"ingest/window": "1"}), ingest_project=project.parts)
    assert isinstance(said, dg.SkipReason)
    record = project.record(file_id)
    assert record.state is State.QUARANTINED
    assert "raise memory_limit_mb" in record.error
    assert stale_files(project.parts) == []


def test_the_sensor_leaves_alone_what_is_not_its_business(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    contexts = [
        failed(project, file_id, **{OUTCOME_TAG: "failed"}),
        failed(project, file_id, **OOM, **{PROCESS_TAG: this_process()}),
    ]
    for context in contexts:
        assert isinstance(out_of_memory(context, ingest_project=project.parts), dg.SkipReason)
    assert project.parts.store.file(file_id) is None
    project.path("a.txt").unlink()
    said = out_of_memory(failed(project, file_id, **OOM), ingest_project=project.parts)
    assert "deleted or replaced" in str(said)


def test_a_run_that_died_without_a_word_is_noted(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    lost_runs(failed(project, file_id), ingest_project=project.parts)
    record = project.record(file_id)
    assert record.state is State.FAILED
    assert "ended before it could say why" in record.error
    assert asked(tick(project)) == []  # not again within ten minutes
    project.parts.store.note(replace(record, updated_at="2026-01-01T00:00:00+00:00"))
    assert asked(tick(project)) == [("ingest_file", file_id)]


def test_a_run_whose_process_is_gone_frees_its_slot(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    job = project.definitions.resolve_job_def("ingest_file")
    tags = {"dagster/partition": file_id}
    run = project.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    register = Register(Path(project.instance.root_directory) / "launcher")
    os.close(register.open(RunEntry(run_id=run.run_id, ticket=1, cap_mb=300)))  # its holder is gone
    assert asked(tick(project)) == []  # what comes of it is being decided
    ended = project.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE


def test_a_run_whose_process_lives_is_left_alone(project: Project) -> None:
    file_id = project.put("a.txt", "hello")
    job = project.definitions.resolve_job_def("ingest_file")
    run = project.instance.create_run_for_job(
        job, tags={"dagster/partition": file_id}, status=dg.DagsterRunStatus.STARTED
    )
    register = Register(Path(project.instance.root_directory) / "launcher")
    lock = register.open(RunEntry(run_id=run.run_id, ticket=1, cap_mb=300))
    assert asked(tick(project)) == []
    register.close(run.run_id, lock)


def test_a_file_that_fails_every_night_does_not_stand_before_the_others(project: Project) -> None:
    first, second = project.put("a.txt", "hello"), project.put("b.txt", "hello")
    for file_id, state in ((first, State.FAILED), (second, State.SUCCEEDED)):
        project.ingest(file_id)
        project.parts.store.note(replace(project.record(file_id), fingerprint="old", state=state))
    assert stale_files(project.parts) == [second, first]


def test_a_stale_file_of_a_decomposed_name_moves_to_its_composed_name(project: Project) -> None:
    file_id = project.put("ü.txt", "hello")
    project.ingest(file_id)
    record, old = project.record(file_id), normalize("NFD", file_id)
    project.parts.store.delete(file_id)
    project.parts.store.note(replace(record, file_id=old, fingerprint="old"))
    assert stale_files(project.parts) == [file_id]
    project.ingest(file_id)
    assert asked(tick_again(project)) == [("purge_file", old)]
    assert project.purge(old).success
    assert [each.file_id for each in project.parts.store.files()] == [file_id]
    assert project.texts(file_id) == ["hello"]
    assert stale_files(project.parts) == []


def night(project: Project, day: int = 1) -> dg.ScheduleExecutionData:
    """Evaluate the nightly schedule as Dagster's daemon does."""
    context = dg.build_schedule_context(
        instance=project.instance,
        scheduled_execution_time=datetime(2026, 1, day, 1, 10, tzinfo=UTC),
        repository_def=project.definitions.get_repository_def(),
        resources={"ingest_project": project.parts},
    )
    return project.definitions.resolve_schedule_def("out_of_date").evaluate_tick(context)


def partitions_of(ticked: dg.ScheduleExecutionData) -> list[str | None]:
    return [request.partition_key for request in ticked.run_requests or []]


def stale(project: Project, *names: str) -> list[str]:
    """Put files into the ledger that were last attempted by other code."""
    file_ids = [project.put(name, "hello") for name in names]
    for file_id in file_ids:
        lost_runs(failed(project, file_id), ingest_project=project.parts)
        project.parts.store.note(
            replace(project.record(file_id), fingerprint="old", updated_at="2026-01-01T00:00:00+00:00")
        )
    return file_ids


def test_the_schedule_asks_for_every_stale_file_and_again_the_next_night(project: Project) -> None:
    file_ids = stale(project, "a.txt", "b.txt", "c.txt")
    first, second = night(project, day=1), night(project, day=2)
    assert partitions_of(first) == partitions_of(second) == file_ids
    keys = [request.run_key for ticked in (first, second) for request in ticked.run_requests or []]
    assert len(set(keys)) == 6  # Dagster drops a request whose key it has seen before
    assert [request.run_key for request in night(project, day=1).run_requests or []] == keys[:3]


def test_a_partition_that_somebody_deleted_stops_no_other_file(project: Project) -> None:
    file_ids = stale(project, "a.txt", "b.txt")
    tick(project)
    project.instance.delete_dynamic_partition("files", file_ids[0])
    assert partitions_of(night(project)) == file_ids


@pytest.mark.parametrize("typed", ["../x", "/etc/z", "ann:..:y.txt", "ann::../../../b", "nonsense", "ann:p:%61.txt"])
def test_a_partition_that_no_file_has_is_taken_away_once(project: Project, typed: str) -> None:
    project.parts.mark_bucket()
    project.put("a.txt", "hello")
    (Path(project.settings.bucket) / "nonsense").write_text("a file of that very name lies in the bucket")
    project.instance.add_dynamic_partitions("files", [typed])
    tick(project)
    assert ("purge_file", typed) in asked(tick(project))
    assert project.purge(typed).success
    assert typed not in project.instance.get_dynamic_partitions("files")
    assert ("purge_file", typed) not in asked(tick_again(project))

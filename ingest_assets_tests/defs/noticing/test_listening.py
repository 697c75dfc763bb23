"""Test what the listener and the sensor of events do, on a real instance, bucket and store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets.defs.noticing.event_sensor import event_sensor, say_reading
from ingest_assets.defs.noticing.listening import UrgentRuns
from ingest_assets.defs.noticing.sensors import upload_bucket
from ingest_assets.defs.queue.queue_submission import RunQueue
from ingest_assets.errors import OutsideError
from ingest_assets.index.listing_position import ListingPosition
from ingest_assets.messaging.heartbeat import EVENTS_LISTENER, RUNS_LISTENER, beat, is_beating, stop_beating
from ingest_assets.messaging.sqs import QueueReading
from ingest_assets_tests.conftest import ROOT
from ingest_assets_tests.defs.conftest import Project
from testing.object_storage import s3_server
from testing.watched_bucket import WatchedBucket

pytestmark = pytest.mark.slow


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with the project's own dagster.yaml: runs are queued."""
    (tmp_path / "instance").mkdir()
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "instance/dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path / "instance")) as instance:
        yield instance


@pytest.fixture
def urgent(project: Project, instance: dg.DagsterInstance) -> UrgentRuns:
    _ = project.parts.store  # the first process that opens the store makes the index
    return UrgentRuns(instance, project.parts, RunQueue(instance, project.definitions, submitted_by="listen"))


def queued(instance: dg.DagsterInstance) -> list[str]:
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    return sorted(run.tags["dagster/partition"] for run in runs)


def test_a_key_in_the_inbox_becomes_a_queued_run_at_once_and_only_one(
    project: Project, instance: dg.DagsterInstance, urgent: UrgentRuns
) -> None:
    file_id = project.put("a.txt", "hello")
    project.parts.inbox.put(["ann/p/a.txt"], why="event")
    assert urgent.start() == "1 keys looked at, 1 runs asked for"
    assert queued(instance) == [file_id]
    assert instance.has_dynamic_partition("files", file_id)
    project.parts.inbox.put(["ann/p/a.txt"], why="event")
    urgent.start()
    assert queued(instance) == [file_id]
    assert urgent.start() == ""
    assert project.parts.inbox.depth() == 0


def test_of_the_listeners_of_two_hosts_one_asks_for_the_runs(
    project: Project, instance: dg.DagsterInstance, urgent: UrgentRuns
) -> None:
    queue = RunQueue(instance, project.definitions, submitted_by="listen")
    second = UrgentRuns(instance, project.parts, queue, host="the second host")
    assert urgent.start() == ""
    file_id = project.put("a.txt", "hello")
    project.parts.inbox.put(["ann/p/a.txt"], why="event")
    assert second.start() == ""
    assert project.parts.inbox.depth() == 1
    urgent.stop()
    third = UrgentRuns(instance, project.parts, queue, host="the second host")
    assert third.start() == "1 keys looked at, 1 runs asked for"
    assert queued(instance) == [file_id]


def test_an_event_about_a_file_as_it_is_known_costs_no_run(
    project: Project, instance: dg.DagsterInstance, urgent: UrgentRuns
) -> None:
    project.ingest(project.put("a.txt", "hello"))
    project.parts.inbox.put(["ann/p/a.txt"], why="event")
    urgent.start()
    assert queued(instance) == []


def test_keys_of_removed_and_of_impossible_files_leave_the_inbox(
    project: Project, instance: dg.DagsterInstance, urgent: UrgentRuns
) -> None:
    project.ingest(project.put("a.txt", "hello"))
    project.path("a.txt").unlink()
    project.put("b.txt", "stays")
    project.parts.inbox.put(["ann/p/a.txt", "stray.txt", "ann/p/never.txt"], why="event")
    urgent.start()
    assert (project.parts.inbox.depth(), queued(instance)) == (0, [])
    gone, _ = project.parts.deletes.gone(limit=10)
    assert gone == [] or gone == ["ann:p:a.txt"], "two looks decide that it is gone"


def test_while_the_bucket_is_away_keys_stay_in_the_inbox(project: Project, urgent: UrgentRuns) -> None:
    project.put("a.txt", "hello")
    project.parts.inbox.put(["ann/p/a.txt"], why="event")
    bucket = Path(project.settings.bucket)
    bucket.rename(bucket.with_name("away"))
    with pytest.raises(OutsideError, match="is not there"):
        urgent.start()
    assert not is_beating(project.parts.database, RUNS_LISTENER), "the sensor takes over"
    bucket.with_name("away").rename(bucket)
    assert urgent.start() == "1 keys looked at, 1 runs asked for"


def test_before_the_index_agrees_with_the_store_nothing_is_asked_for(project: Project, urgent: UrgentRuns) -> None:
    project.put("a.txt", "hello")
    project.parts.inbox.put(["ann/p/a.txt"], why="event")
    project.parts.index.set_built_for("")
    assert urgent.start() == ""
    assert project.parts.inbox.depth() == 1
    assert not is_beating(project.parts.database, RUNS_LISTENER), "the sensor does the work meanwhile"


def test_the_sensor_of_the_bucket_asks_for_no_runs_of_files_while_a_listener_does(project: Project) -> None:
    project.put("a.txt", "hello")

    def asked() -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            instance=project.instance, definitions=project.definitions, sensor_name="upload_bucket"
        )
        result = upload_bucket(context, ingest_project=project.parts)
        assert isinstance(result, dg.SensorResult)
        return list(result.run_requests or [])

    beat(project.parts.database, RUNS_LISTENER, process="p")
    assert asked() == []
    stop_beating(project.parts.database, RUNS_LISTENER, process="p")
    assert [request.partition_key for request in asked()] == ["ann:p:a.txt"]


def test_the_sensor_of_events_is_off_unless_a_queue_is_named() -> None:
    assert event_sensor(is_on=True).default_status is dg.DefaultSensorStatus.RUNNING
    assert event_sensor(is_on=False).default_status is dg.DefaultSensorStatus.STOPPED


def test_a_reading_is_said_in_one_line() -> None:
    passed_over = {f"bucket b{number}": number for number in range(12)}
    said = say_reading(QueueReading(12, 3, 1, passed_over))
    assert said.startswith("12 messages, 3 keys to look at, 1 set aside; passed over: 11 × bucket b11, ")
    assert said.endswith(" and 2 others")


def said(project: Project) -> str:
    """Return why a tick of the sensor of events asked for nothing."""
    result = event_sensor(is_on=True)(dg.build_sensor_context(instance=project.instance), ingest_project=project.parts)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


def test_the_sensor_of_events_rests_while_a_listener_receives(project: Project, tmp_path: Path) -> None:
    assert "INGEST_EVENTS_QUEUE" in said(project)
    queue = {"INGEST_BUCKET": "s3://team-files", "INGEST_EVENTS_QUEUE": "http://127.0.0.1:9/1/q"}
    with_queue = Project(tmp_path / "with_queue", project.settings.model_cache, **queue)
    beat(with_queue.parts.database, EVENTS_LISTENER, process="p")
    assert "ingest listen" in said(with_queue)
    with_queue.instance.dispose()


def test_the_sensor_of_the_bucket_receives_events_before_it_looks(
    tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        watched = WatchedBucket(server, tmp_path / "home", model_cache)
        settings = {name: value for name, value in watched.environment.items() if name.startswith("INGEST_")}
        project = Project(tmp_path / "home", model_cache, **settings)
        project.parts.mark_bucket()
        project.parts.listing.move(ListingPosition(after="behind all names"))  # the listing does not see the file
        watched.put("a.txt", "hello")
        with project.instance:
            context = dg.build_sensor_context(
                instance=project.instance, definitions=project.definitions, sensor_name="upload_bucket"
            )
            result = upload_bucket(context, ingest_project=project.parts)
        assert isinstance(result, dg.SensorResult)
        assert [request.partition_key for request in result.run_requests or []] == ["ann:p:a.txt"]
        assert project.parts.event_queue is not None
        assert project.parts.event_queue.waiting() == 0
        project.parts.store.close()

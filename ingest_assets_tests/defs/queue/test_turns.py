"""Test that runs carry their turn, whichever way they come to Dagster's queue."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from ingest_assets.defs.assets.recording.attempt_tags import tags_of
from ingest_assets.defs.queue.run_coordinator import asked_by
from ingest_assets.defs.queue.turns import PRIORITY_TAG, TurnRequest, turn_tags
from ingest_assets.stages.planning.attempts import Attempt
from ingest_assets.stages.planning.turns import AskedBy
from ingest_assets_tests.defs.queue.queued import job_of_a_file, queue


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def served(instance: dg.DagsterInstance) -> list[str]:
    """Return the files in the order in which Dagster's queue serves them."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), ascending=True)
    ordered = sorted(runs, key=lambda run: -int(run.tags.get(PRIORITY_TAG, "0")))
    return [run.tags["dagster/partition"] for run in ordered]


def upload(instance: dg.DagsterInstance, *file_ids: str, asked: AskedBy = AskedBy.BUCKET) -> None:
    requests = [TurnRequest(file_id, asked, 10) for file_id in file_ids]
    for request, tags in zip(requests, turn_tags(instance, requests), strict=True):
        queue(instance, request.file_id, tags)


def test_a_users_turn_depends_on_what_the_user_has_in_the_queue_already(instance: dg.DagsterInstance) -> None:
    upload(instance, "ann:p:1", "ann:p:2", "ann:p:3")
    upload(instance, "bob:p:1")
    upload(instance, "ann:q:4")
    assert served(instance) == ["ann:p:1", "bob:p:1", "ann:p:2", "ann:p:3", "ann:q:4"]


def test_runs_that_have_left_the_queue_do_not_count(instance: dg.DagsterInstance) -> None:
    upload(instance, "ann:p:1")
    (run,) = instance.get_runs()
    instance.report_run_canceled(run)
    upload(instance, "ann:p:2", "bob:p:1")
    assert served(instance) == ["ann:p:2", "bob:p:1"]


def test_the_repetition_of_a_run_that_ran_out_of_memory_keeps_its_turn() -> None:
    before = {PRIORITY_TAG: "-1000000031", "ingest/window": "16", "dagster/backfill": "abc"}
    assert tags_of(Attempt(window=8, cap_mb=500), before=before) == {
        PRIORITY_TAG: "-1000000031",
        "ingest/window": "8",
    }


def test_a_priority_that_is_no_number_counts_as_none(instance: dg.DagsterInstance) -> None:
    queue(instance, "ann:p:1", {PRIORITY_TAG: "high"})
    upload(instance, "bob:p:1", asked=AskedBy.PERSON)
    assert len(instance.get_runs()) == 2


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, AskedBy.PERSON),
        ({"dagster/backfill": "abc"}, AskedBy.PERSON),
        ({"dagster/sensor_name": "upload_bucket"}, AskedBy.BUCKET),
        ({"dagster/schedule_name": "out_of_date"}, AskedBy.UPKEEP),
    ],
)
def test_dagsters_own_tags_say_who_asked(instance: dg.DagsterInstance, tags: dict[str, str], expected: AskedBy) -> None:
    run = instance.create_run_for_job(job_of_a_file, tags=tags)
    assert asked_by(run) is expected

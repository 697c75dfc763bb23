"""Test what is said about files that wait: their order, their place, and when their turn comes."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from ingest_assets.defs.queue.waiting_runs import QueueState, queue_state, waiting_runs
from ingest_assets_tests.defs.queue.queued import queue

STARTING = dg.DagsterRunStatus.STARTING


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def end_a_run(instance: dg.DagsterInstance, *, took_s: float) -> None:
    run = queue(instance, "ann:p:done", {}, status=dg.DagsterRunStatus.STARTED)
    kinds = (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS)
    for kind, at in zip(kinds, (1000.0, 1000.0 + took_s), strict=True):
        event = dg.DagsterEvent(kind.value, job_name=run.job_name)
        instance.handle_new_event(
            dg.EventLogEntry(  # type: ignore[no-untyped-call]  # Dagster gives its types as comments
                error_info=None,
                level="info",
                user_message="",
                run_id=run.run_id,
                timestamp=at,
                job_name=run.job_name,
                dagster_event=event,
            )
        )


def test_files_are_listed_in_the_order_in_which_they_are_served(instance: dg.DagsterInstance) -> None:
    queue(instance, "ann:p:bulk", {"dagster/priority": "-20"})
    queue(instance, "ann:p:person", {})
    queue(instance, "ann:p:also bulk", {"dagster/priority": "-20"})
    queue(instance, "ann:p:handed over", {"dagster/priority": "-30"}, status=STARTING)
    places = {run.file_id: run.place for run in waiting_runs(instance)}
    assert places == {"ann:p:handed over": 1, "ann:p:person": 2, "ann:p:bulk": 3, "ann:p:also bulk": 4}


def test_the_estimate_is_the_mean_of_the_last_runs_times_those_before(instance: dg.DagsterInstance) -> None:
    end_a_run(instance, took_s=1.0)
    end_a_run(instance, took_s=3.0)
    queue(instance, "ann:p:running", {}, status=dg.DagsterRunStatus.STARTED)
    queue(instance, "ann:p:1", {})
    queue(instance, "ann:p:2", {})
    assert queue_state(instance) == QueueState(waiting=2, running=1, run_s=2.0, expected_s=6.0)
    assert [run.expected_s for run in waiting_runs(instance)] == [2.0, 4.0]


def test_before_the_first_run_nothing_is_estimated(instance: dg.DagsterInstance) -> None:
    queue(instance, "ann:p:1", {})
    assert queue_state(instance) == QueueState(waiting=1, running=0, run_s=None, expected_s=None)
    assert [run.expected_s for run in waiting_runs(instance)] == [None]

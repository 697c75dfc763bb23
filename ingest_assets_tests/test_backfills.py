"""Test turns and backfills over the real daemon: who goes first, cancel half way, resume, long names, failed files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from ingest_assets.ledger_records import State
from ingest_assets.stores.chroma.embedded.locks import StoreLocks
from ingest_assets_tests.dev_stack import Stack, running_stack
from testing.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

LAUNCH = """
mutation launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""
LONG_NAME = "ü," * 60 + "x" * 57 + ".md"
"""240 bytes: file systems allow 255."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("backfills") / "home", model_cache) as stack:
        stack.put("first.md", "# First\n\nThe gulls nest on the south cliff.\n")
        until(lambda: stack.ended("first.md", State.SUCCEEDED), what="the first file is in the store")
        yield stack


@pytest.fixture
def locks(stack: Stack) -> StoreLocks:
    """Locks that keep runs from publishing, so that the one that runs goes on running."""
    return StoreLocks(stack.home / "chroma" / "locks")


def runs(stack: Stack, **filters: Any) -> list[dg.DagsterRun]:
    return list(stack.instance.get_runs(filters=dg.RunsFilter(**filters)))


def files_of(found: list[dg.DagsterRun]) -> set[str]:
    return {run.tags["dagster/partition"] for run in found}


def test_a_persons_run_in_the_ui_goes_before_the_uploads_that_wait(stack: Stack, locks: StoreLocks) -> None:
    with ExitStack() as held:
        for number in range(6):
            held.enter_context(locks.owning(f"ann:p:note {number}.md"))
        waiting = {stack.put(f"note {number}.md", f"# Note {number}\n\nSeen from the tower.\n") for number in range(6)}
        until(lambda: len(files_of(runs(stack)) & waiting) == 6, what="the uploads are in the queue")
        handed_over = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
        until(lambda: len(runs(stack, statuses=handed_over)) == 4, what="one runs, and three wait in the launcher")
        before = files_of(runs(stack, statuses=handed_over))
        selector = {
            "repositoryLocationName": "ingest_assets",
            "repositoryName": "__repository__",
            "jobName": "ingest_file",
        }
        tags = [{"key": "dagster/partition", "value": "ann:p:first.md"}]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        answer = stack.graphql(LAUNCH, params=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess"
        run_id = answer["run"]["runId"]
    until(lambda: all(stack.ended(f"note {n}.md", State.SUCCEEDED) for n in range(6)), what="all are in the store")
    records = stack.instance.get_run_records()
    began = {record.dagster_run.run_id: record.start_time or 0.0 for record in records}
    later = {
        record.dagster_run.tags["dagster/partition"]
        for record in records
        if record.start_time and record.start_time > began[run_id]
    }
    assert waiting - later <= before, "it started before all that waited in the queue"


def test_a_backfill_is_cancelled_half_way_and_the_rest_is_resumed(stack: Stack, locks: StoreLocks) -> None:
    files = {stack.put(f"log {number}.md", f"# Log {number}\n\nA calm day.\n", user="bea") for number in range(6)}

    def are_stored() -> bool:
        records = map(stack.record_of, files)
        return all(record is not None and record.state is State.SUCCEEDED for record in records)

    until(are_stored, what="the files are in the store")
    started = stack.ingest("backfill", "--all", "--user", "bea")
    assert started["files"] == 6

    def succeeded() -> set[str]:
        tags = {"dagster/backfill": started["backfill_id"]}
        return files_of(runs(stack, tags=tags, statuses=[dg.DagsterRunStatus.SUCCESS]))

    until(lambda: len(succeeded()) >= 2, what="two of its files have succeeded")
    with locks.exclusive():
        assert stack.ingest("backfill", "--cancel", started["backfill_id"])["status"] in {"CANCELING", "CANCELED"}
        until(lambda: status(stack, started["backfill_id"]) == "CANCELED", what="the backfill is cancelled")
    done = succeeded()
    assert 2 <= len(done) < 6
    resumed = stack.ingest("backfill", "--resume", started["backfill_id"])
    assert resumed["files"] == 6 - len(done)
    until(lambda: status(stack, resumed["backfill_id"]) == "COMPLETED_SUCCESS", what="the rest has succeeded")
    assert done | files_of(runs(stack, tags={"dagster/backfill": resumed["backfill_id"]})) == files
    assert are_stored()
    assert stack.ingest("backfill", "--resume", resumed["backfill_id"]) == {"backfill_id": "", "files": 0, "status": ""}


def test_failed_files_and_a_name_of_240_bytes_are_backfilled(stack: Stack) -> None:
    (stack.bucket / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that a reader could use\n")
    long_id = stack.put(LONG_NAME, "# Long\n\nA name as long as file systems allow.\n")
    until(lambda: stack.ended("broken.pdf", State.FAILED, generation=0), what="the broken file is recorded as failed")
    until(lambda: stack.record_of(long_id), what="the file with the long name is in the store")
    failed = stack.ingest("backfill", "--failed", "--user", "ann")
    assert failed["files"] == 1
    chosen = stack.ingest("backfill", f"ann/p/{LONG_NAME}")
    until(lambda: status(stack, chosen["backfill_id"]) == "COMPLETED_SUCCESS", what="the long name was run")
    assert files_of(runs(stack, tags={"dagster/backfill": chosen["backfill_id"]})) == {long_id}
    until(lambda: status(stack, failed["backfill_id"]) == "COMPLETED_FAILED", what="the broken file failed again")
    assert files_of(runs(stack, tags={"dagster/backfill": failed["backfill_id"]})) == {"ann:p:broken.pdf"}


def status(stack: Stack, backfill_id: str) -> str:
    found = stack.instance.get_backfill(backfill_id)
    return found.status.value if found and isinstance(found.status, BulkActionStatus) else ""

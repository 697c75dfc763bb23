"""Test that one setting keeps Dagster's runs in PostgreSQL: sensor, queue, runs, backfills, command line and UI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.ledger_records import State
from ingest_assets_tests.dev_stack import Stack, running_stack
from testing.polling import until
from testing.postgres import postgres, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

RUNS = """
{ runsOrError { ... on Runs { results { status tags { key value } } } } }
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as server:
        yield server.new_database()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, model_cache: Path, url: str) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("postgres") / "home"
    with running_stack(home, model_cache, INGEST_INSTANCE_DB=url) as stack:
        stack.put("tides.md", "# Tides\n\nThe tide table hangs beside the boathouse door.\n")
        until(lambda: stack.ended("tides.md", State.SUCCEEDED), what="the file is in the store")
        yield stack


def test_a_file_is_noticed_queued_and_run_and_nothing_of_it_is_in_sqlite(stack: Stack, url: str) -> None:
    ended = "select status from runs order by id limit 1"
    until(lambda: rows_of(url, ended) == [("SUCCESS",)], what="its run has ended, in PostgreSQL")
    assert ("ann:p:tides.md",) in rows_of(url, "select partition from dynamic_partitions")
    assert [path.name for path in stack.home.rglob("*.db") if "chroma" not in path.parts] == []
    assert "s3cr" not in (stack.home / "dagster.yaml").read_text()


def test_the_ui_shows_the_run_with_its_turn_and_its_end(stack: Stack) -> None:
    def tags() -> dict[str, str]:
        first = stack.graphql(RUNS)["runsOrError"]["results"][-1]  # the latest comes first
        return {tag["key"]: tag["value"] for tag in first["tags"]}

    until(lambda: tags().get("memory_capped/outcome") == "succeeded", what="its end has a name")
    assert int(tags()["dagster/priority"]) < 0, "the sensor asked for it"


def test_a_backfill_by_command_is_run_by_the_daemon(stack: Stack) -> None:
    started = stack.ingest("backfill", "--all")

    def ended() -> bool:
        backfill = stack.instance.get_backfill(started["backfill_id"])
        return backfill is not None and backfill.status.value == "COMPLETED_SUCCESS"

    until(ended, what="the backfill has succeeded")


def test_the_command_line_runs_a_file_beside_the_daemon(stack: Stack, tmp_path: Path, url: str) -> None:
    (tmp_path / "geese.md").write_text("# Geese\n\nThey winter on the north meadow.\n")
    stack.ingest("add", str(tmp_path / "geese.md"), "--user", "ann", "--project", "p")
    assert stack.ended("geese.md", State.SUCCEEDED)
    assert stack.environment["INGEST_INSTANCE_DB"] == url
    assert os.environ.get("INGEST_INSTANCE_DB") is None

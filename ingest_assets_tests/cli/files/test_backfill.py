"""Test which files `ingest backfill` selects, and what it refuses."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from ingest_assets.cli.main import main
from ingest_assets.defs.queue.backfills import cancel_backfill, files_of, resume_backfill, start_backfill
from ingest_assets.errors import BadInput

LONG_ID = "ann:p:" + "ü%2C" * 60 + "x" * 57 + ".md"

Backfill = Callable[..., int]


@pytest.fixture
def backfill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backfill:
    """The command in this process and an empty folder: its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ingest", "backfill", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return call


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--all", "--failed"],
        ["a/b/c", "--all"],
        ["--cancel", "x", "--resume", "x"],
        ["a/b/c", "--user", "a"],
        ["--all", "--project", "p"],
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    words: list[str], backfill: Backfill, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backfill(*words) == 2
    assert "--" in capsys.readouterr().err


def test_a_folder_without_a_home_stays_without(backfill: Backfill, tmp_path: Path) -> None:
    assert backfill("--all") == 2
    assert not (tmp_path / "home").exists()


def test_a_backfill_holds_names_of_any_length_and_adds_their_partitions() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        started = start_backfill(instance, [LONG_ID, "ann:p:b.md", LONG_ID], title="two files", shards=1)
        kept = instance.get_backfill(started.backfill_id)
        assert kept is not None
        assert sorted(files_of(kept, shards=1)) == sorted([LONG_ID, "ann:p:b.md"])
        assert set(instance.get_dynamic_partitions("files")) == {LONG_ID, "ann:p:b.md"}
        assert (started.files, started.status) == (2, "REQUESTED")


def test_a_backfill_that_goes_on_is_cancelled_and_not_resumed() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        started = start_backfill(instance, ["ann:p:a.md"], title="one file", shards=1)
        with pytest.raises(BadInput, match="has not ended"):
            resume_backfill(instance, started.backfill_id, shards=1)
        assert cancel_backfill(instance, started.backfill_id, shards=1).status == "CANCELING"


def test_a_cancel_that_the_daemon_writes_over_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        started = start_backfill(instance, ["ann:p:a.md"], title="one file", shards=1)
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "BACKFILL", "one", errors=[]))
        as_read = instance.get_backfill(started.backfill_id)
        assert as_read is not None
        read_before = [as_read]
        clock = [0.0]

        def daemon_works(seconds: float) -> None:
            clock[0] += seconds
            if read_before:
                instance.update_backfill(read_before.pop())

        # The machine's own clock would decide how often it is asked, and on a busy machine that is not at all.
        stand_in = SimpleNamespace(monotonic=lambda: clock[0], sleep=daemon_works, time=time.time)
        monkeypatch.setattr("ingest_assets.defs.queue.backfills.time", stand_in)
        assert cancel_backfill(instance, started.backfill_id, shards=1).status == "CANCELING"
        kept = instance.get_backfill(started.backfill_id)
        assert kept is not None
        assert (read_before, kept.status.value) == ([], "CANCELING")


def test_a_backfill_over_shards_has_each_file_in_its_own() -> None:
    names = [f"ann:p:{number}.md" for number in range(8)]
    with dg.DagsterInstance.ephemeral() as instance:
        started = start_backfill(instance, names, title="all", shards=2)
        kept = instance.get_backfill(started.backfill_id)
        assert kept is not None
        assert sorted(files_of(kept, shards=2)) == names
        of_each = [instance.get_dynamic_partitions(name) for name in ("files", "files_1")]
        assert sorted([*of_each[0], *of_each[1]]) == names
        assert all(of_each)


def test_a_backfill_that_is_not_there_is_named() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for act in (cancel_backfill, resume_backfill):
            with pytest.raises(BadInput, match="there is no backfill abc"):
                act(instance, "abc", shards=1)
        with pytest.raises(BadInput, match="at least one file"):
            start_backfill(instance, [], title="none", shards=1)

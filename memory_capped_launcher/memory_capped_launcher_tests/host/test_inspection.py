"""Test that the facts about a real home are found and that the home is not changed."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from memory_capped_launcher.errors import LauncherConfigError
from memory_capped_launcher.host.inspection import inspect_home
from memory_capped_launcher.host.instance_settings import InstanceSettings, read_settings
from memory_capped_launcher.limits import LauncherConfig
from memory_capped_launcher.register import Register, RunEntry, RunStage
from memory_capped_launcher_tests.conftest import Host

LAUNCHER = "run_launcher: {module: memory_capped_launcher.run_launcher, class: MemoryCappedRunLauncher, config: {%s}}\n"


def home(folder: Path, text: str) -> Path:
    (folder / "dagster.yaml").write_text(text)
    return folder


def test_without_a_file_dagsters_defaults_hold_and_nothing_is_made(tmp_path: Path) -> None:
    found = inspect_home(tmp_path / "none")
    assert found.settings == InstanceSettings()
    assert (found.stack, found.runs, found.orphaned, found.folder_problem) == ([], (), (), "")
    assert list(tmp_path.iterdir()) == []


def test_the_launchers_settings_are_read_with_their_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAP", "700")
    settings = read_settings(home(tmp_path, LAUNCHER % "memory_limit_mb: {env: CAP}, timeout_s: 5.0"))
    assert settings.config == LauncherConfig(memory_limit_mb=700, timeout_s=5.0)
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]


class QueueOfAProject(dg.QueuedRunCoordinator):
    """A project's own coordinator."""


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", 10),
        ("concurrency: {runs: {max_concurrent_runs: 3}}", 3),
        ("concurrency: {runs: {max_concurrent_runs: -1}}", None),
        ("run_queue: {max_concurrent_runs: 4}", 4),
        ("run_coordinator: {module: dagster, class: DefaultRunCoordinator}", None),
        (
            f"run_coordinator: {{module: {__name__}, class: QueueOfAProject}}\n"
            "concurrency: {runs: {max_concurrent_runs: 2}}",
            2,
        ),
    ],
)
def test_the_queues_limit_is_found_wherever_dagster_takes_it_from(
    tmp_path: Path, text: str, allowed: int | None
) -> None:
    assert read_settings(home(tmp_path, text)).max_concurrent_runs == allowed


def test_run_monitoring_counts_only_where_it_is_on(tmp_path: Path) -> None:
    assert read_settings(home(tmp_path, "run_monitoring: {start_timeout_seconds: 9}")).start_timeout_s is None
    settings = read_settings(home(tmp_path, "run_monitoring: {enabled: true, max_runtime_seconds: 60}"))
    assert (settings.start_timeout_s, settings.max_runtime_s) == (180, 60)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUNCHER % "memory_limit_mb: much, reserve: 5", ["memory_limit_mb", '"much"', '"reserve"']),
        (LAUNCHER % "memory_limit_mb: {env: NOT_SET}", ["NOT_SET"]),
        ("run_launcher: {module: memory_capped_launcher.nothing, class: X}", ["memory_capped_launcher.nothing"]),
        ("sensor: {}", ['"sensor"']),
        ("run_launcher: [", ["line 1"]),
        ("- 1", ["dictionary"]),
    ],
)
def test_what_dagster_would_refuse_is_one_short_message(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(LauncherConfigError) as refused:
        read_settings(home(tmp_path, text))
    said = str(refused.value)
    assert all(word in said for word in [str(tmp_path / "dagster.yaml"), *words])
    assert "\n" not in said
    assert len(said) < 1200


@pytest.mark.slow
def test_a_running_home_is_seen_and_left_as_it_is(host: Host) -> None:
    run_id = host.launch("sleep")
    supervisor = host.running(run_id)
    before = sorted(host.home.rglob("*"))
    found = inspect_home(host.home)
    (entry,) = found.runs
    assert (entry.run_id, entry.stage, entry.pid) == (run_id, RunStage.RUNNING, supervisor)
    assert (found.orphaned, found.folder_problem, found.unseen) == ([], "", "")
    assert sorted(host.home.rglob("*")) == before
    assert not host.read(run_id).is_finished


def test_a_run_whose_holder_died_is_orphaned_and_left_to_the_daemon(tmp_path: Path) -> None:
    register = Register(tmp_path / "launcher")
    os.close(register.open(RunEntry(run_id="r1", ticket=1, cap_mb=500)))
    for _ in range(2):
        assert list(inspect_home(tmp_path).orphaned) == ["r1"]


def test_a_folder_that_others_may_enter_is_named(tmp_path: Path) -> None:
    (tmp_path / "launcher/warm").mkdir(parents=True)
    (tmp_path / "launcher/warm").chmod(0o755)
    assert "mode 0755" in inspect_home(tmp_path).folder_problem

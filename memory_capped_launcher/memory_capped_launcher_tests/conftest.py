"""An instance of its own with the launcher set in its `dagster.yaml`, and what a person does with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from memory_capped_launcher.dagster_private import ReconstructableRepository
from memory_capped_launcher.errors import LauncherConfigError, LauncherUnavailableError
from memory_capped_launcher.outcomes import OUTCOME_TAG
from memory_capped_launcher.register import Register, RunStage
from memory_capped_launcher.run_launcher import MemoryCappedRunLauncher
from memory_capped_launcher.warm.preload import environment_digest
from memory_capped_launcher.warm.protocol import ask
from memory_capped_launcher_tests.patience import patient

PROJECT = "memory_capped_launcher_tests.project"
WAIT_S = 15.0


class Host:
    """One instance on this host."""

    def __init__(self, home: Path, **config: Any) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        settings = {
            "memory_limit_mb": 300,
            "max_parallel": 1,
            "cancel_grace_s": patient(2.0),
            "warm_start_timeout_s": patient(60.0),
            "warm_idle_s": patient(60.0),
            **config,
        }
        launcher = {"module": "memory_capped_launcher.run_launcher", "class": "MemoryCappedRunLauncher"}
        no_logs = {"module": "dagster.core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
        instance = {
            "run_launcher": launcher | {"config": settings},
            "compute_logs": no_logs,
            "telemetry": {"enabled": False},
        }
        (home / "dagster.yaml").write_text(yaml.safe_dump(instance))
        self.instance = dg.DagsterInstance.from_config(str(home))
        self.register = Register(home / "launcher")
        self.repository = ReconstructableRepository.for_module(PROJECT, "defs", str(Path(__file__).parents[1]))

    @property
    def launcher(self) -> MemoryCappedRunLauncher:
        launcher = self.instance.run_launcher
        assert isinstance(launcher, MemoryCappedRunLauncher)
        return launcher

    def create(self, partition: str, **tags: str) -> dg.DagsterRun:
        """Make a run of one partition."""
        job = self.repository.get_reconstructable_job("job")
        return self.instance.create_run_for_job(
            job.get_definition(),
            tags={"dagster/partition": partition, **{f"memory_capped/{name}": value for name, value in tags.items()}},
            job_code_origin=job.get_python_origin(),
        )

    def launch(self, partition: str, **tags: str) -> str:
        """Launch a run of one partition; return its id."""
        run = self.create(partition, **tags)
        self.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]
        return run.run_id

    def run(self, partition: str, **tags: str) -> dg.DagsterRun:
        """Launch a run and wait for its end."""
        return self.end_of(self.launch(partition, **tags))

    def end_of(self, run_id: str, *, within_s: float = WAIT_S) -> dg.DagsterRun:
        """Wait until a run has ended, its end was named, and nobody is in charge of it any more."""
        until(
            lambda: self.read(run_id).is_finished and not self.register.knows(run_id),
            f"the end of {run_id}",
            within_s=within_s,
        )
        return self.read(run_id)

    def read(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def running(self, run_id: str) -> int:
        """Wait until a run's step has begun; return its supervisor."""
        until(lambda: bool(self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)), "the step's start")
        return self.supervisor(run_id)

    def supervisor(self, run_id: str) -> int:
        until(lambda: bool((entry := self.register.read(run_id)) and entry.stage is RunStage.RUNNING), "the run's turn")
        entry = self.register.read(run_id)
        assert entry is not None
        return entry.pid

    def said(self, run_id: str) -> str:
        """Return everything that the run's events say."""
        return "\n".join(
            entry.message + (event.message or "" if (event := entry.dagster_event) else "")
            for entry in self.instance.all_logs(run_id)
        )

    def warm(self) -> int:
        """Return the warm process that serves; 0 where there is none."""
        for path in (self.home / "launcher/warm").glob("*.sock"):
            try:
                fields = {"op": "ping", "environment": environment_digest(), "version": ""}
                return int(ask(path.parent, path.name, fields, timeout_s=patient(5))["pid"])
            except (LauncherUnavailableError, KeyError):
                continue
        return 0

    def processes(self) -> list[int]:
        """Return every process that belongs to this instance, this one left out."""
        mark = f"DAGSTER_HOME={self.home}".encode()
        return [
            int(path.name)
            for path in Path("/proc").glob("[0-9]*")
            if int(path.name) != os.getpid() and mark in _environment(path)
        ]

    def close(self) -> None:
        """End everything that belongs to this instance."""
        for run_id in self.register.run_ids():
            self.register.cancel(run_id)
        until(lambda: not self.register.living(), "the end of all runs")
        for path in (self.home / "launcher/warm").glob("*.sock"):
            with suppress(LauncherUnavailableError, LauncherConfigError):
                ask(path.parent, path.name, {"op": "leave"}, timeout_s=patient(5))
        self.instance.dispose()
        until(lambda: not self.processes(), "the end of the instance's processes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the patience that this machine needs."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(patient(float(item.config.getini("timeout")))))


@pytest.fixture
def host(make_host: Callable[..., Host]) -> Host:
    return make_host()


@pytest.fixture
def make_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Host]]:
    """Make hosts with other settings."""
    hosts: list[Host] = []

    def make(**config: Any) -> Host:
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
        hosts.append(Host(tmp_path / "home", **config))
        return hosts[-1]

    yield make
    for one in hosts:
        one.close()


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def outcome(run: dg.DagsterRun) -> str:
    return run.tags.get(OUTCOME_TAG, "none")


def until(holds: Callable[[], bool], what: str, *, within_s: float = WAIT_S, look_every_s: float = 0.01) -> None:
    """Wait for something that other processes do, for as long as it may take on a machine of its own."""
    deadline = time.monotonic() + patient(within_s)
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patient(within_s):g} s: {what}")
        time.sleep(patient(look_every_s))

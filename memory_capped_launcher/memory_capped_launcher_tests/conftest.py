"""Provide `Host`: a Dagster instance that uses the launcher, and the actions of a person who works with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

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
# Long enough for a cold run on a machine that is five times overloaded; no test that passes waits so long.
WAIT_S = 90.0


class Host:
    """A Dagster instance with this launcher; its folder has a `dagster.yaml`."""

    def __init__(self, home: Path, repository: ReconstructableRepository) -> None:
        self.home = home
        self.instance = dg.DagsterInstance.from_config(str(home))
        self.register = Register(home / "launcher")
        self.repository = repository

    @classmethod
    def with_config(cls, home: Path, **config: Any) -> Self:
        """Make an instance whose launcher has this config, for the runs of `project.py`."""
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
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(yaml.safe_dump(instance))
        return cls(home, ReconstructableRepository.for_module(PROJECT, "defs", str(Path(__file__).parents[1])))

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
        self.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]  # it needs no workspace
        return run.run_id

    def run(self, partition: str, **tags: str) -> dg.DagsterRun:
        """Launch a run and wait for its end."""
        return self.end_of(self.launch(partition, **tags))

    def end_of(self, run_id: str, *, within_s: float = WAIT_S) -> dg.DagsterRun:
        """Wait until a run has ended, its end has a name, and the register does not know it any more."""
        # A run leaves the register after its end was reported; to look there is cheap, to ask Dagster is not.
        until(lambda: not self.register.knows(run_id), f"the end of {run_id}", within_s=within_s)
        until(lambda: self.read(run_id).is_finished, f"the status of {run_id}", within_s=within_s)
        return self.read(run_id)

    def read(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def running(self, run_id: str) -> int:
        """Wait until a run's step has begun; return its supervisor's process id."""
        supervisor = self.supervisor(run_id)
        until(lambda: bool(self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)), "the step's start")
        return supervisor

    def supervisor(self, run_id: str) -> int:
        until(lambda: bool((entry := self.register.read(run_id)) and entry.stage is RunStage.RUNNING), "the run's turn")
        entry = self.register.read(run_id)
        assert entry is not None
        return entry.pid

    def said(self, run_id: str) -> str:
        """Return the messages of all of the run's events."""
        return "\n".join(
            entry.message + (event.message or "" if (event := entry.dagster_event) else "")
            for entry in self.instance.all_logs(run_id)
        )

    def warm(self) -> int:
        """Return the id of the warm process that serves; 0 if there is none."""
        for path in (self.home / "launcher/warm").glob("*.sock"):
            try:
                fields = {"op": "ping", "environment": environment_digest(), "version": ""}
                return int(ask(path.parent, path.name, fields, timeout_s=patient(5))["pid"])
            except (LauncherUnavailableError, KeyError):
                continue
        return 0

    def kill_warm(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the warm process a signal; return its id."""
        warm = self.warm()
        assert warm, "there is no warm process, and 0 would be this process's own group"
        os.kill(warm, number)
        return warm

    def processes(self) -> list[int]:
        """Return the ids of all processes that belong to this instance, except this one."""
        mark = f"DAGSTER_HOME={self.home}".encode()
        return [
            int(path.name)
            for path in Path("/proc").glob("[0-9]*")
            if int(path.name) != os.getpid() and mark in _environment(path)
        ]

    def close(self) -> None:
        """End all processes of this instance."""
        for run_id in self.register.run_ids():
            self.register.cancel(run_id)
        until(lambda: not self.register.living(), "the end of all runs")
        for path in (self.home / "launcher/warm").glob("*.sock"):
            with suppress(LauncherUnavailableError, LauncherConfigError):
                ask(path.parent, path.name, {"op": "leave"}, timeout_s=patient(5))
        self.instance.dispose()
        until(lambda: not self.processes(), "the end of the instance's processes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the time limit that this machine needs."""
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
        hosts.append(Host.with_config(tmp_path / "home", **config))
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
    """Wait until something holds that other processes bring about, at most `within_s` on a quiet machine."""
    deadline = time.monotonic() + patient(within_s)
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patient(within_s):g} s: {what}")
        time.sleep(patient(look_every_s))

"""Time a run from launch to end beside Dagster's own launcher, time a death, measure the watchdog's overshoot.

    python -m benchmarks.launcher.run [--runs 5]

All ways share one code server and the same instance settings. They take turns, so that other work on the machine slows
all of them alike. CPU seconds are the sum of the run's processes, the process that starts them, and the launching call.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

from memory_capped_launcher.register import Register, RunStage
from memory_capped_launcher.supervision.process_tree import descendants
from memory_capped_launcher.warm.preload import environment_digest
from memory_capped_launcher.warm.protocol import ask

CAP_MB = 600
TICKS = os.sysconf("SC_CLK_TCK")
LAUNCHERS: dict[str, dict[str, Any]] = {
    "default": {"module": "dagster", "class": "DefaultRunLauncher"},
    "capped": {
        "module": "memory_capped_launcher.run_launcher",
        "class": "MemoryCappedRunLauncher",
        "config": {"memory_limit_mb": CAP_MB},
    },
}


@dataclass
class Way:
    """A launcher and an executor."""

    name: str
    launcher: str
    job: str
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


class Bench:
    """One instance folder, opened with either launcher."""

    def __init__(self, home: Path) -> None:
        self.home = home
        os.environ["DAGSTER_HOME"] = str(home)
        self.instances = {name: self._instance(launcher) for name, launcher in LAUNCHERS.items()}
        self.register = Register(home / "launcher")

    def _instance(self, launcher: dict[str, Any]) -> dg.DagsterInstance:
        logs = {"module": "dagster.core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
        settings = {"run_launcher": launcher, "compute_logs": logs, "telemetry": {"enabled": False}}
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        return dg.DagsterInstance.from_config(str(self.home))

    @contextmanager
    def server(self) -> Iterator[None]:
        """Start the code server."""
        target = ModuleTarget(
            module_name="benchmarks.launcher.definitions", attribute=None, working_directory=".", location_name="bench"
        )
        with WorkspaceProcessContext(self.instances["default"], target) as process_context:
            self.workspace = process_context.create_request_context()
            self.location = self.workspace.get_code_location("bench")
            self.code_server = next(pid for pid in descendants(os.getpid()) if "grpc" in _command(pid))
            yield

    def create(self, launcher: str, job_name: str, tags: dict[str, str]) -> dg.DagsterRun:
        """Make a run as the UI does."""
        (repository,) = self.location.get_repositories().values()
        selector = JobSubsetSelector("bench", repository.name, job_name, None)
        job = self.location.get_job(selector)
        plan = self.location.get_execution_plan(
            job, {}, step_keys_to_execute=None, known_state=None, instance=self.instances[launcher]
        ).execution_plan_snapshot
        return self.instances[launcher].create_run(
            job_name=job_name,
            run_id=None,
            run_config={},
            status=None,
            tags=tags,
            root_run_id=None,
            parent_run_id=None,
            step_keys_to_execute=plan.step_keys_to_execute,
            execution_plan_snapshot=plan,
            job_snapshot=job.job_snapshot,
            parent_job_snapshot=job.parent_job_snapshot,
            asset_selection=None,
            asset_check_selection=None,
            resolved_op_selection=None,
            op_selection=None,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
            asset_graph=repository.asset_graph,
        )

    def launch(self, launcher: str, job_name: str, **tags: str) -> dg.DagsterRun:
        """Launch a run."""
        run = self.create(launcher, job_name, tags)
        self.instances[launcher].launch_run(run.run_id, self.workspace)
        return run

    def finished(self, run_id: str) -> bool:
        """Has it ended?"""
        run = self.instances["capped"].get_run_by_id(run_id)
        return run is not None and run.is_finished

    def time(self, way: Way, key: str) -> None:
        """Time one run."""
        run = self.create(way.launcher, way.job, {"dagster/partition": key})
        parent = self.code_server if way.launcher == "default" else self.warm()
        cpu, own = _cpu_s(parent), time.process_time()
        began = time.perf_counter()
        self.instances[way.launcher].launch_run(run.run_id, self.workspace)
        launching = time.process_time() - own
        _until(lambda: self.finished(run.run_id))
        way.seconds.append(time.perf_counter() - began)
        ended = self.instances["capped"].get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.SUCCESS, f"{way.name}: {ended.status}"
        # What cleans up after the run belongs to its cost, and is reaped by its parent before it counts.
        _until(lambda: not self.register.run_ids())
        time.sleep(3.0 if way.launcher == "default" else 0.5)
        way.cpu_s.append(_cpu_s(parent) - cpu + launching)

    def warm(self) -> int:
        """Return the warm process; 0 where there is none."""
        for path in (self.home / "launcher/warm").glob("*.sock"):
            request = {"op": "ping", "environment": environment_digest(), "version": ""}
            reply = ask(path.parent, path.name, request, timeout_s=5)
            assert reply["ok"], reply["why"]
            return int(reply["pid"])
        return 0

    def death(self, *, of_supervisor: bool) -> float:
        """Kill a run or its supervisor; return the seconds until Dagster knows that the run failed."""
        run = self.launch("capped", "sleeping_job")
        instance = self.instances["capped"]
        _until(lambda: bool(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)))
        entry = self.register.read(run.run_id)
        assert entry is not None
        assert entry.stage is RunStage.RUNNING
        victim = entry.pid if of_supervisor else descendants(entry.pid)[0]
        os.kill(victim, signal.SIGKILL)
        began = time.perf_counter()
        _until(lambda: self.finished(run.run_id))
        took = time.perf_counter() - began
        _until(lambda: not self.register.run_ids())
        return took

    def overshoot(self) -> float:
        """Let a run grow by 1 GB/s; return how far it got past its cap, in percent."""
        counter = self.home / "grown_mb"
        counter.write_bytes(bytes(8))
        run = self.launch("capped", "growing_job")
        _until(lambda: self.finished(run.run_id))
        _until(lambda: not self.register.run_ids())
        return 100 * (int.from_bytes(counter.read_bytes(), "little") - CAP_MB) / CAP_MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    ways = [
        Way("Dagster's launcher, multiprocess executor", "default", "multiprocess"),
        Way("Dagster's launcher, in-process executor", "default", "in_process"),
        Way("memory-capped launcher, in-process executor", "capped", "in_process"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        with bench.server():
            began = time.perf_counter()
            first = bench.launch("capped", "in_process", **{"dagster/partition": "99"})
            _until(lambda: bench.finished(first.run_id))
            cold = time.perf_counter() - began
            for number in range(runs):
                for way in ways:
                    bench.time(way, str(number))
            deaths = {
                who: [bench.death(of_supervisor=who == "supervisor") for _ in range(3)] for who in ("run", "supervisor")
            }
            over = [bench.overshoot() for _ in range(3)]
            _leave(bench.home)
    _print(ways, cold=cold, deaths=deaths, over=over)


def _print(ways: list[Way], *, cold: float, deaths: dict[str, list[float]], over: list[float]) -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, ", end="")
    print(f"Python {platform.python_version()}, Dagster {dg.__version__}, load {os.getloadavg()[0]:.1f}")
    best = ways[-1]
    print("\n| way | launch to end, s (median, least) | times | CPU s a run | times |\n| --- | --- | --- | --- | --- |")
    for way in ways:
        seconds, cpu = statistics.median(way.seconds), statistics.median(way.cpu_s)
        print(
            f"| {way.name} | {seconds:.2f} ({min(way.seconds):.2f}) | {seconds / statistics.median(best.seconds):.1f} "
            f"| {cpu:.2f} | {cpu / statistics.median(best.cpu_s):.1f} |"
        )
    print(f"\nfirst run, which starts the warm process: {cold:.2f} s")
    for who, waits in deaths.items():
        print(f"kill -9 of the {who} to the run's failure in Dagster: at most {max(waits):.2f} s of {len(waits)}")
    print(f"watchdog at 1 GB/s and a cap of {CAP_MB} MB: at most {max(over):+.1f} % of {len(over)}")


def _leave(home: Path) -> None:
    for path in (home / "launcher/warm").glob("*.sock"):
        ask(path.parent, path.name, {"op": "leave"}, timeout_s=5)


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(value) for value in fields[11:15]) / TICKS


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _until(holds: Callable[[], bool], *, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("a run did not end")
        time.sleep(0.005)


if __name__ == "__main__":
    main()

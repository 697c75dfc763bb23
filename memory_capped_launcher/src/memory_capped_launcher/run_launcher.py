"""Define the run launcher that Dagster calls.

Dagster calls `launch_run` in the daemon, `terminate` in the web server and the health checks in the daemon. These
processes share nothing except the instance's folder, so all that they need to know is in the register below it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import dagster as dg

from memory_capped_launcher.dagster_private import (
    CheckRunHealthResult,
    ConfigurableClass,
    ConfigurableClassData,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
    serialize_value,
)
from memory_capped_launcher.errors import LauncherConfigError, LauncherError
from memory_capped_launcher.host.host_memory import host_memory_mb
from memory_capped_launcher.limits import LauncherConfig, limits_for
from memory_capped_launcher.outcomes import CAP_TAG, CPU_TAG, OUTCOME_TAG, PEAK_TAG, RunOutcome
from memory_capped_launcher.register import Register, RunEntry
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.sweep import sweep
from memory_capped_launcher.warm.loaded_code import LoadedCode
from memory_capped_launcher.warm.warm_client import CodeToLoad, WarmClient, launch_cold

PRIORITY_TAG = "dagster/priority"
_GONE = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE}


class MemoryCappedRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Launch each run in a fresh process with a hard memory cap, forked from a warm process.

    In `dagster.yaml`:

    ```yaml
    run_launcher:
      module: memory_capped_launcher.run_launcher
      class: MemoryCappedRunLauncher
      config:
        memory_limit_mb: 1500   # of a run without the tag; default: an equal share of what the host has to spare
        timeout_s: 3600.0
        preload_modules: [pandas]
    ```

    In the definitions, for the runs of one job:

    ```python
    dg.define_asset_job("report", tags={"memory_capped/memory_limit_mb": "2500", "memory_capped/timeout_s": "600"})
    ```

    A run that ended has the tags `memory_capped/outcome` (`succeeded`, `failed`, `out_of_memory`, `timed_out`,
    `cancelled` or `lost`), `memory_capped/peak_mb`, `memory_capped/cap_mb` and `memory_capped/cpu_s`.
    """

    def __init__(self, config: LauncherConfig, inst_data: ConfigurableClassData | None = None) -> None:
        self._config = config
        self._inst_data = inst_data
        self._client: WarmClient | None = None
        self._loaded = LoadedCode()
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Return the part of `dagster.yaml` that this launcher was made from."""
        return self._inst_data

    @property
    def config(self) -> LauncherConfig:
        """Return the settings, with the defaults of those that `dagster.yaml` does not name."""
        return self._config

    @classmethod
    def config_type(cls) -> Any:
        """Return the settings with their descriptions; each has a default."""
        optional_mb = dg.Noneable(dg.IntSource)
        return {
            "memory_limit_mb": _field(optional_mb, None, "Memory cap of a run without the tag; unset: an equal share"),
            "memory_ceiling_mb": _field(optional_mb, None, "Highest cap that a run's tag may ask for"),
            "reserve_mb": _field(dg.IntSource, 1200, "Memory of the host that runs may not use"),
            "timeout_s": _field(dg.Noneable(dg.Float), None, "Time limit of a run without the tag"),
            "niceness": _field(dg.IntSource, 5, "How far runs give way to other processes, 0 to 19"),
            "max_parallel": _field(dg.IntSource, 1, "How many runs at once on this host"),
            "cancel_grace_s": _field(dg.Float, 10.0, "Time that a cancelled run has to clean up before it is killed"),
            "cgroup_root": _field(dg.Noneable(dg.StringSource), None, "A delegated cgroup v2 for the runs' groups"),
            "warm": _field(dg.BoolSource, True, "Fork runs from a warm process"),
            "warm_start_timeout_s": _field(dg.Float, 60.0, "Time that the warm process has to import the definitions"),
            "warm_idle_s": _field(dg.Float, 1800.0, "Time without a run after which the warm process ends"),
            "preload_modules": _field([str], [], "Modules that the warm process imports besides the definitions"),
            "learn_modules": _field([str], [], "Modules that it imports after two of its runs have imported them"),
            "keep_connections": _field(
                dg.BoolSource,
                True,
                "Keep Dagster's SQLite databases open while a run lasts, by a patch of Dagster in the run's process",
            ),
            "cache_migrations": _field(
                dg.BoolSource,
                True,
                "Read Dagster's migration scripts once, by a patch of Dagster in the warm process and its runs",
            ),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Make a launcher from its config in `dagster.yaml`."""
        modules = {name: tuple(config_value[name]) for name in ("preload_modules", "learn_modules")}
        return cls(LauncherConfig(**{**config_value, **modules}), inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run, or let it wait for its turn."""
        self._start(context, resume=False)

    @property
    def supports_resume_run(self) -> bool:
        """Return True: run monitoring may resume lost runs."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Start what is left of a lost run."""
        self._start(context, resume=True)

    def terminate(self, run_id: str) -> bool:
        """Cancel the run; False if it has ended already."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        register = Register(self._folder)
        asked = register.announce_cancel(run_id)
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if asked:
            self._end(run, register)
            return True
        # The run is not in the register: its launch is about to begin and will see that the run was cancelled.
        self._instance.add_run_tags(run_id, {OUTCOME_TAG: RunOutcome.CANCELLED.value})
        self._instance.report_run_canceled(run, "Cancelled: The run was cancelled before it was launched.")
        return True

    def _end(self, run: dg.DagsterRun, register: Register) -> None:
        """End a run, after making sure that Dagster will call it cancelled.

        A run that begins at this moment overwrites its status with "started", and Dagster then takes the interrupt for
        a failure. If it began before the announcement, this method puts the status right; if after, `run_process` does.
        """
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        register.cancel(run.run_id)
        sweep(register, self._instance)  # if its supervisor is dead, this reports its end

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Return True: run monitoring may check the health of runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the run is supervised; report the ends of all runs whose supervisor died."""
        register = Register(self._folder)
        sweep(register, self._instance)
        if register.knows(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process and its supervisor are gone")

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Return the run's stage, supervisor and cap in words."""
        entry = Register(self._folder).read(run.run_id)
        return f"{entry.stage} under supervisor {entry.pid}, cap {entry.cap_mb} MB" if entry else None

    def dispose(self) -> None:
        """Do nothing: the runs belong to their supervisors, not to this process."""

    @property
    def _folder(self) -> Path:
        return Path(self._instance.root_directory) / "launcher"

    def _start(self, context: LaunchRunContext | ResumeRunContext, *, resume: bool) -> None:
        run, run_id = context.dagster_run, context.dagster_run.run_id
        register = Register(self._folder)
        try:
            request = self._request(run, resume=resume)
            self._hand_over(request, register, code=self._code(context), priority=_priority(run.tags))
        except LauncherError:
            if not register.knows(run_id):  # else an earlier launch has it, and its supervisor names its end
                self._instance.add_run_tags(run_id, {OUTCOME_TAG: RunOutcome.FAILED.value})
            raise

    def _hand_over(self, request: RunRequest, register: Register, *, code: CodeToLoad, priority: int) -> None:
        run_id = request.run_id
        sweep(register, self._instance)
        ticket, cap_mb = time.time_ns(), request.limits.cap_mb
        lock = register.open(RunEntry(run_id=run_id, ticket=ticket, cap_mb=cap_mb, priority=priority))
        try:
            current = self._instance.get_run_by_id(run_id)
            if current is None or current.status in _GONE:
                return register.close(run_id, os.dup(lock))
            self._instance.add_run_tags(run_id, _first_tags(current.tags, request))
            if self._config.warm:
                self._warm_client().launch(request, code=code, lock=lock)
            else:
                launch_cold(request, code=code, lock=lock, why="warm is off in the run launcher's config")
        except BaseException:
            if register.claim(run_id):  # no supervisor has it, and one that comes late finds it claimed
                register.close(run_id, os.dup(lock))
            raise
        finally:
            os.close(lock)
        return None

    def _request(self, run: dg.DagsterRun, *, resume: bool) -> RunRequest:
        limits = limits_for(run.tags, config=self._config, host_mb=host_memory_mb())
        root = Path(self._instance.root_directory)
        return RunRequest(
            run_id=run.run_id,
            instance_ref=serialize_value(self._instance.get_ref()),
            resume=resume,
            limits=limits,
            folder=str(self._folder),
            log_path=str(root / "logs" / f"{run.run_id}.log"),
            notes="",
            keep_connections=self._config.keep_connections,
            learn_modules=self._config.learn_modules,
        )

    def _warm_client(self) -> WarmClient:
        if self._client is None:
            config = self._config
            self._client = WarmClient(
                self._folder,
                start_timeout_s=config.warm_start_timeout_s,
                idle_s=config.warm_idle_s,
                modules=config.preload_modules,
                learn_modules=config.learn_modules,
                cache_migrations=config.cache_migrations,
            )
        return self._client

    def _code(self, context: LaunchRunContext | ResumeRunContext) -> CodeToLoad:
        run = context.dagster_run
        if run.job_code_origin is None:
            raise LauncherConfigError(
                f"run {run.run_id} does not say where its code is; launch it from a code location"
            )
        origin = run.job_code_origin.repository_origin
        version = self._loaded.version(context)
        return CodeToLoad(origin.executable_path, serialize_value(origin), version=version)


def _field(kind: Any, default: Any, description: str) -> dg.Field:
    return dg.Field(kind, default_value=default, is_required=False, description=description)


def _priority(tags: Mapping[str, str]) -> int:
    """Return the run's priority as Dagster's queue reads it: 0 if it has none, or one that is no number."""
    try:
        return int(tags.get(PRIORITY_TAG, "0"))
    except ValueError:
        return 0


def _first_tags(tags: Mapping[str, str], request: RunRequest) -> dict[str, str]:
    """Return the cap in force, and empty values for the end of an earlier run whose tags Dagster copied to a retry."""
    inherited = {name: "" for name in (OUTCOME_TAG, PEAK_TAG, CPU_TAG) if name in tags}
    return {CAP_TAG: str(request.limits.cap_mb), **inherited}

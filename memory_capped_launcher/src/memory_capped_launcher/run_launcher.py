"""What Dagster calls: a run in, a capped, supervised process for it out.

`launch_run` is called in the daemon, `terminate` in the web server, health checks in the daemon; they share nothing but
the instance's folder, so all they need to know stands in the register below it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from ingest_assets.errors import ConfigError, OutsideError
from memory_capped_launcher.host.host_memory import host_memory_mb
from memory_capped_launcher.limits import LauncherConfig, limits_for
from memory_capped_launcher.outcomes import CAP_TAG, CPU_TAG, OUTCOME_TAG, PEAK_TAG, Outcome
from memory_capped_launcher.register import Entry, Register
from memory_capped_launcher.request import RunRequest
from memory_capped_launcher.supervision.sweep import sweep
from memory_capped_launcher.warm.warm_client import Code, WarmClient, launch_cold

_GONE = {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE}


class MemoryCappedRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Runs each run in a fresh process with a hard memory cap, forked from a warm one; docs/launcher.md."""

    def __init__(self, config: LauncherConfig, inst_data: ConfigurableClassData | None = None) -> None:
        self._config = config
        self._inst_data = inst_data
        self._client: WarmClient | None = None
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Return what `dagster.yaml` said."""
        return self._inst_data

    @property
    def config(self) -> LauncherConfig:
        """Return the settings, with the defaults of those that `dagster.yaml` does not name."""
        return self._config

    @classmethod
    def config_type(cls) -> Any:
        """Return the settings; each has a default."""
        return {
            "memory_limit_mb": _field(dg.Noneable(dg.IntSource), None, "the cap of a run without the tag"),
            "memory_ceiling_mb": _field(dg.Noneable(dg.IntSource), None, "the most that a run's tag may ask for"),
            "reserve_mb": _field(dg.IntSource, 1200, "kept for everything but runs"),
            "timeout_s": _field(dg.Noneable(dg.Float), None, "the time limit of a run without the tag"),
            "niceness": _field(dg.IntSource, 5, "how far runs stand back for other processes, 0 to 19"),
            "max_parallel": _field(dg.IntSource, 1, "how many runs at once on this host"),
            "cancel_grace_s": _field(dg.Float, 10.0, "what a cancelled run has to clean up before it is killed"),
            "cgroup_root": _field(dg.Noneable(dg.StringSource), None, "a delegated cgroup v2 for the runs' groups"),
            "warm": _field(dg.BoolSource, True, "fork runs from a warm process"),
            "warm_start_timeout_s": _field(dg.Float, 60.0, "what the warm process has to import the definitions"),
            "warm_idle_s": _field(dg.Float, 1800.0, "after so long without a run the warm process leaves"),
            "preload_modules": _field([str], [], "modules that the warm process imports beside the definitions"),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Make one as `dagster.yaml` says."""
        modules = tuple(config_value["preload_modules"])
        return cls(LauncherConfig(**{**config_value, "preload_modules": modules}), inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Have the run executed."""
        self._start(context, resume=False)

    @property
    def supports_resume_run(self) -> bool:
        """Run monitoring may resume lost runs."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Have the rest of a lost run executed."""
        self._start(context, resume=True)

    def terminate(self, run_id: str) -> bool:
        """Ask for the run's end; False where it has ended already."""
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
        # In nobody's charge: its launch is about to begin, and will see that the run was cancelled.
        self._instance.add_run_tags(run_id, {OUTCOME_TAG: Outcome.CANCELLED.value})
        self._instance.report_run_canceled(run, "Cancelled: The run was cancelled before it was launched.")
        return True

    def _end(self, run: dg.DagsterRun, register: Register) -> None:
        """Have a run ended once Dagster is sure to call it cancelled.

        A run that begins at this moment overwrites its status with "started", and Dagster then takes the interrupt for
        a failure. If it began before the announcement, that is seen and mended here; if after, in `run_process`.
        """
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        register.cancel(run.run_id)
        sweep(register, self._instance)  # should its supervisor be dead, its end is told here

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask after runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Say whether somebody is in charge of the run; name the ends of those that nobody is in charge of."""
        register = Register(self._folder)
        sweep(register, self._instance)
        if register.knows(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process and its supervisor are gone")

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Say where the run stands."""
        entry = Register(self._folder).read(run.run_id)
        return f"{entry.stage} under supervisor {entry.pid}, cap {entry.cap_mb} MB" if entry else None

    def dispose(self) -> None:
        """Leave the runs running: they are not this process's."""

    @property
    def _folder(self) -> Path:
        return Path(self._instance.root_directory) / "launcher"

    def _start(self, context: LaunchRunContext | ResumeRunContext, *, resume: bool) -> None:
        run_id = context.dagster_run.run_id
        register = Register(self._folder)
        try:
            self._hand_over(self._request(context.dagster_run, resume=resume), register, code=_code(context))
        except (ConfigError, OutsideError):
            if not register.knows(run_id):  # else it was launched before, and its end is another's to name
                self._instance.add_run_tags(run_id, {OUTCOME_TAG: Outcome.FAILED.value})
            raise

    def _hand_over(self, request: RunRequest, register: Register, *, code: Code) -> None:
        run_id = request.run_id
        sweep(register, self._instance)
        lock = register.open(Entry(run_id=run_id, ticket=time.time_ns(), cap_mb=request.limits.cap_mb))
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
            if register.claim(run_id):  # no supervisor has it, and none that comes late will
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
        )

    def _warm_client(self) -> WarmClient:
        if self._client is None:
            config = self._config
            self._client = WarmClient(
                self._folder,
                start_timeout_s=config.warm_start_timeout_s,
                idle_s=config.warm_idle_s,
                modules=config.preload_modules,
            )
        return self._client


def _field(kind: Any, default: Any, description: str) -> dg.Field:
    return dg.Field(kind, default_value=default, is_required=False, description=description)


def _first_tags(tags: Mapping[str, str], request: RunRequest) -> dict[str, str]:
    """Say what cap is in force; forget the end of the run that this one repeats, whose tags Dagster copied."""
    inherited = {name: "" for name in (OUTCOME_TAG, PEAK_TAG, CPU_TAG) if name in tags}
    return {CAP_TAG: str(request.limits.cap_mb), **inherited}


def _code(context: LaunchRunContext | ResumeRunContext) -> Code:
    run = context.dagster_run
    if run.job_code_origin is None:
        raise ConfigError(f"run {run.run_id} does not say where its code is; launch it from a code location")
    origin = run.job_code_origin.repository_origin
    return Code(origin.executable_path, serialize_value(origin), version=_loaded_version(context))


def _loaded_version(context: LaunchRunContext | ResumeRunContext) -> str:
    """Return the id that a code server takes on each time it loads its code; empty where there is none to ask."""
    job = context.dagster_run.remote_job_origin
    if context.workspace is None or job is None:
        return ""
    name = job.repository_origin.code_location_origin.location_name
    if not context.workspace.has_code_location(name):
        return ""
    return str(getattr(context.workspace.get_code_location(name), "server_id", ""))

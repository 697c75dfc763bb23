"""Import every private name of Dagster that the launcher uses; an upgrade of Dagster then breaks one file.

A private name is one below `dagster._`: Dagster may move it in any release, so `pyproject.toml` pins the release. A
test checks that no other module of this package names `dagster._` and that every name here exists.

The names at the top are loaded by `import dagster` in any case. The functions below them import what is not: the parts
of Dagster that only a run needs cost another second. Modules that must start quickly import this module where they use
it, because it imports Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dagster._check import CheckError
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.events import EngineEventData, JobFailureData, RunFailureReason
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._serdes import ConfigurableClass, ConfigurableClassData, deserialize_value, serialize_value
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

__all__ = [
    "DAEMON_MODULE",
    "IMPORTED_DURING_A_RUN",
    "CheckError",
    "CheckRunHealthResult",
    "ConfigurableClass",
    "ConfigurableClassData",
    "EngineEventData",
    "InstanceRef",
    "JobFailureData",
    "LaunchRunContext",
    "ReconstructableJob",
    "ReconstructableRepository",
    "ResumeRunContext",
    "RunFailureReason",
    "RunLauncher",
    "WorkerStatus",
    "capture_interrupts",
    "deserialize_value",
    "load_repository",
    "run_body",
    "serialize_value",
    "setup_interrupt_handlers",
    "sql_module",
    "sqlite_storage_modules",
]

DAEMON_MODULE = "dagster._daemon"
"""What `python -m` names in the command of a daemon."""

# What Dagster imports only in the course of a run (seen in `sys.modules` before and after one).
IMPORTED_DURING_A_RUN = (
    "dagster._cli.api",
    "dagster._core.executor.in_process",
    "dagster._core.execution.plan.active",
    "dagster._core.execution.plan.execute_plan",
    "dagster._core.instance.factory",
    "dagster._core.storage.fs_io_manager",
    "dagster._core.storage.mem_io_manager",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.sqlalchemy_compat",
    "dagster._utils.hosted_user_process",
    "dagster._utils.interrupts",
)

_SQLITE_STORAGES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
)


def run_body(*, resume: bool) -> Callable[..., int]:
    """Return the function with which Dagster's command line executes a run, or resumes one."""
    from dagster._cli.api import _execute_run_command_body, _resume_run_command_body

    return _resume_run_command_body if resume else _execute_run_command_body


def load_repository(repository_origin: str) -> Any:
    """Import the definitions that a serialised origin points to; return Dagster's `RepositoryDefinition`."""
    from dagster._utils.hosted_user_process import recon_repository_from_origin

    origin: Any = deserialize_value(repository_origin)
    return recon_repository_from_origin(origin).get_definition()


def sql_module() -> Any:
    """Return the module in which Dagster compares a database's revision with the newest migration script."""
    from dagster._core.storage import sql

    return sql


def sqlite_storage_modules() -> Iterator[Any]:
    """Yield the modules of Dagster's SQLite storages; each holds its own reference to `create_engine`."""
    import importlib
    from contextlib import suppress

    for name in _SQLITE_STORAGES:
        with suppress(ImportError):  # Dagster has moved it: its databases are then opened as Dagster opens them
            yield importlib.import_module(name)

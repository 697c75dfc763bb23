"""Read what a Dagster home's `dagster.yaml` says about launching and queueing runs.

The instance is not opened, because Dagster would make folders and tables. The file is read and checked as Dagster does
it. Of the classes that it names, only this package's launcher and Dagster's own queue are constructed, which has no
effect on the home.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from memory_capped_launcher.errors import LauncherConfigError
from memory_capped_launcher.limits import LauncherConfig

if TYPE_CHECKING:
    from memory_capped_launcher.dagster_private import ConfigurableClassData, InstanceRef

_FILE = "dagster.yaml"
_LONGEST_MESSAGE = 500  # room for the launcher's settings; those of Dagster are 5,000 characters


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """The settings in a home's `dagster.yaml`; without that file, Dagster's defaults."""

    launcher: str = "dagster.DefaultRunLauncher"
    config: LauncherConfig | None = None
    """The config of this package's launcher; None if another one launches the runs."""
    max_concurrent_runs: int | None = 10
    """How many runs the queue lets run at once; None: any number."""
    start_timeout_s: float | None = None
    """How long a run may be starting before run monitoring ends it; None if run monitoring is off."""
    max_runtime_s: float | None = None


def read_settings(home: Path) -> InstanceSettings:
    """Read a home's settings.

    Raises:
        LauncherConfigError: naming everything in the file that Dagster would refuse.
    """
    from dagster import DagsterInvalidConfigError

    from memory_capped_launcher.dagster_private import CheckError, InstanceRef

    path = home / _FILE
    if not path.is_file():
        return InstanceSettings()
    try:
        return _settings(InstanceRef.from_dir(str(home)))
    except DagsterInvalidConfigError as error:
        messages = [problem.message for problem in error.errors or []] or [error.message]
        raise LauncherConfigError(f"{path}: {'; '.join(map(_shorten, messages))}") from error
    except (CheckError, ImportError, OSError, yaml.YAMLError) as error:
        raise LauncherConfigError(f"{path}: {_shorten(str(error))}") from error


def _shorten(message: str) -> str:
    """Return one line, without the traceback and without the whole schema that Dagster adds for a wrong name."""
    line = " ".join(message.partition("Stack Trace:")[0].split())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"


def _settings(ref: InstanceRef) -> InstanceSettings:
    monitoring = _section(ref, "run_monitoring")
    launcher = ref.run_launcher_data
    return InstanceSettings(
        launcher=f"{launcher.module_name}.{launcher.class_name}" if launcher else "",
        config=_launcher_config(launcher) if launcher else None,
        max_concurrent_runs=_max_concurrent_runs(ref),
        start_timeout_s=monitoring.get("start_timeout_seconds", 180) if monitoring.get("enabled") else None,
        max_runtime_s=monitoring.get("max_runtime_seconds") or None,
    )


def _launcher_config(data: ConfigurableClassData) -> LauncherConfig | None:
    from memory_capped_launcher.run_launcher import MemoryCappedRunLauncher

    named = getattr(importlib.import_module(data.module_name), data.class_name, None)
    if not (isinstance(named, type) and issubclass(named, MemoryCappedRunLauncher)):
        return None
    return data.rehydrate(as_type=MemoryCappedRunLauncher).config


def _max_concurrent_runs(ref: InstanceRef) -> int | None:
    """Return what the queue allows; None if the coordinator is not Dagster's queue, which alone holds runs back."""
    from dagster import QueuedRunCoordinator

    data = ref.run_coordinator_data
    named = getattr(importlib.import_module(data.module_name), data.class_name, None) if data else None
    if data is None or not (isinstance(named, type) and issubclass(named, QueuedRunCoordinator)):
        return None
    queue = data.rehydrate(as_type=QueuedRunCoordinator).get_run_queue_config()
    allowed = queue.with_concurrency_settings(_section(ref, "concurrency")).max_concurrent_runs
    return None if allowed == -1 else allowed


def _section(ref: InstanceRef, name: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", ref.settings.get(name) or {})

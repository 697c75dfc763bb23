"""A repository's origin in, its code and Dagster's imported once, with one thread and nothing open.

Also what tells a process that its imports are out of date: `Fingerprint` covers the project's own source and YAML files
(every folder that a module came from, new files included), the installed packages (installing changes the time of
`site-packages`) and the environment.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from memory_capped_launcher.warm.migrations import remember_migrations

# Linear algebra libraries start a pool of threads on import, and a fork would inherit its locks without its threads.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_before: dict[str, str | None] = {}

# What Dagster imports only in the course of a run (seen in `sys.modules` before and after one).
_MODULES = (
    "dagster",
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
    "fsspec.implementations.local",
    "sqlite3",
    "upath.implementations.local",
)

# What differs from shell to shell and service to service without meaning anything to a run.
_MEANINGLESS = {"_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES", "INVOCATION_ID", "JOURNAL_STREAM"}
_MEANINGLESS |= {"SYSTEMD_EXEC_PID", "NOTIFY_SOCKET", "MAINPID", "PYTEST_CURRENT_TEST"}
_SOURCES = {".py", ".yaml", ".yml"}


def hold_threads() -> None:
    """Keep libraries that are imported from now on to one thread."""
    for name in _ONE_THREAD:
        _before[name] = os.environ.get(name)
        os.environ[name] = "1"


def restore_threads() -> None:
    """Give a run the environment that the operator gave it."""
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def preload(repository_origin: str, instance_ref: str, *, modules: Sequence[str] = ()) -> None:
    """Import what every run of this code needs, and build its definitions.

    Definitions import heavy libraries where they use them, so as to be loaded quickly; `modules` names those here.
    """
    from dagster._core.instance.ref import InstanceRef
    from dagster._serdes import ConfigurableClassData, deserialize_value

    parts = [part for part in deserialize_value(instance_ref, InstanceRef) if isinstance(part, ConfigurableClassData)]
    for name in [*_MODULES, *(part.module_name for part in parts), *modules]:
        with suppress(ImportError):  # where a run needs it, the run will say so
            importlib.import_module(name)
    remember_migrations()
    build(deserialize_value(repository_origin))


def build(repository_origin: Any) -> None:
    """Import the definitions and resolve every job, as a run does first."""
    from dagster._utils.hosted_user_process import recon_repository_from_origin

    for job in recon_repository_from_origin(repository_origin).get_definition().get_all_jobs():
        _ = job.asset_layer


def environment_digest() -> str:
    """Return a digest of this process's environment."""
    lines = sorted(f"{name}={value}" for name, value in os.environ.items() if name not in _MEANINGLESS)
    return hashlib.sha256("\0".join(lines).encode(errors="surrogateescape")).hexdigest()


class Fingerprint:
    """The files that this process's imports came from, as they are now."""

    def __init__(self) -> None:
        self._folders = _project_folders()
        self._files = self._look()

    def what_changed(self) -> str:
        """Return a file that is not as it was; empty where all are."""
        now = self._look()
        for path in sorted(now.keys() | self._files.keys()):
            if now.get(path) != self._files.get(path):
                return path
        return ""

    def _look(self) -> dict[str, tuple[int, int]]:
        files = {}
        for folder in self._folders:
            with suppress(OSError):
                for entry in os.scandir(folder):
                    if Path(entry.name).suffix in _SOURCES:
                        files[entry.path] = _mark(entry.stat())
        for place in [*_installed(), Path(sys.prefix) / "pyvenv.cfg"]:
            with suppress(OSError):
                files[str(place)] = _mark(place.stat())
        return files


def _project_folders() -> list[Path]:
    """Return the folders of imported modules that are neither installed nor Python's own."""
    foreign = [*_installed(), Path(sysconfig.get_path("stdlib"))]
    files = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    folders = {file.parent for file in files if file.is_absolute()}
    return sorted(folder for folder in folders if not any(folder.is_relative_to(place) for place in foreign))


def _installed() -> list[Path]:
    return sorted({Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")})


def _mark(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_size

"""Import once what every run of a code location needs, and notice when the imports are out of date.

The process that imports must have one thread afterwards and nothing open, because runs are forked from it.
`ImportedFiles` covers the project's own source and YAML files (every folder that a module came from, including new
files) and the installed packages (installing changes the time of `site-packages`); `environment_digest` covers the
environment.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from memory_capped_launcher.warm.learning import import_all

# Linear algebra libraries start a pool of threads on import. A fork would inherit the pool's locks without its threads.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_before: dict[str, str | None] = {}

# What a run imports besides `dagster_private.IMPORTED_DURING_A_RUN` (seen in `sys.modules` before and after one).
_MODULES = ("dagster", "fsspec.implementations.local", "sqlite3", "upath.implementations.local")

# Variables that differ from shell to shell and from service to service and change nothing for a run.
_MEANINGLESS = {"_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES", "INVOCATION_ID", "JOURNAL_STREAM"}
_MEANINGLESS |= {"SYSTEMD_EXEC_PID", "NOTIFY_SOCKET", "MAINPID", "PYTEST_CURRENT_TEST"}
_SOURCES = {".py", ".yaml", ".yml"}


def hold_threads() -> None:
    """Limit libraries that are imported from now on to one thread."""
    for name in _ONE_THREAD:
        _before[name] = os.environ.get(name)
        os.environ[name] = "1"


def restore_threads() -> None:
    """Undo `hold_threads`, so that a run has the environment that the operator gave it."""
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def preload(repository_origin: str, instance_ref: str, *, modules: Sequence[str], migrations: bool) -> None:
    """Import what every run of this code needs, build its definitions and, if asked, cache Dagster's migrations.

    Definitions should import heavy libraries where they use them, so that they load quickly; `modules` names those
    libraries here. A module that cannot be imported is skipped: the run that needs it reports the error.
    """
    from memory_capped_launcher import dagster_private as private

    reference = private.deserialize_value(instance_ref, private.InstanceRef)
    storages = [part.module_name for part in reference if isinstance(part, private.ConfigurableClassData)]
    import_all([*_MODULES, *private.IMPORTED_DURING_A_RUN, *storages, *modules])
    if migrations:
        from memory_capped_launcher.warm.migrations import cache_migrations

        cache_migrations()
    for job in private.load_repository(repository_origin).get_all_jobs():
        _ = job.asset_layer  # resolve the job, as a run does first


def environment_digest() -> str:
    """Return a SHA-256 of this process's environment variables."""
    lines = sorted(f"{name}={value}" for name, value in os.environ.items() if name not in _MEANINGLESS)
    return hashlib.sha256("\0".join(lines).encode(errors="surrogateescape")).hexdigest()


class ImportedFiles:
    """The files that this process's imports came from, with their sizes and times when this object was made."""

    def __init__(self) -> None:
        self._folders = _project_folders()
        self._files = self._current()

    def what_changed(self) -> str:
        """Return the path of a file that has changed; empty if none has."""
        now = self._current()
        for path in sorted(now.keys() | self._files.keys()):
            if now.get(path) != self._files.get(path):
                return path
        return ""

    def _current(self) -> dict[str, tuple[int, int]]:
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

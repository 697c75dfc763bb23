"""Prepare the Dagster home, and compare its dagster.yaml with the shipped one."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ingest_assets.config.settings import INSTANCE_DB, Settings
from ingest_assets.errors import ConfigError

_SHIPPED = files("ingest_assets.config") / "dagster.yaml"
_MOVED = {
    # since 0.1.0
    "ingest_assets.launcher.run_launcher": "memory_capped_launcher.run_launcher",
    "ingest_assets.clients.openvino_embedder": "ingest_assets.clients.embedding.openvino_embedder",
    "ingest_assets.clients.openvino_runtime": "ingest_assets.clients.embedding.openvino_runtime",
    "ingest_assets.parsers.text": "ingest_assets.parsers.text.plain",
    "ingest_assets.stores.chroma": "ingest_assets.stores.chroma.store",
}
"""Modules that dagster.yaml of an earlier release names, and where they are now."""
_QUEUE_OF_0_1_0 = "module: dagster.core.run_coordinator\n  class: QueuedRunCoordinator\n"
_QUEUE = "module: ingest_assets.defs.queue.run_coordinator\n  class: TurnTakingRunCoordinator\n"
"""What replaces the lines of 0.1.0. Dagster's own queue can still be chosen, by the module `dagster`."""
_STORAGE = f"""
# Runs, events and schedules are kept in PostgreSQL, where several hosts share them.
storage:
  postgres:
    postgres_url:
      env: {INSTANCE_DB}
"""
"""What is added to dagster.yaml of a new home if a database is set."""
_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")


def prepare_home(settings: Settings) -> Path:
    """Make the folder, give it the project's dagster.yaml or bring its own up to date, and set DAGSTER_HOME.

    Raises:
        ConfigError: the folder cannot be made, or its dagster.yaml keeps runs elsewhere than INGEST_INSTANCE_DB says.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if (home / "dagster.yaml").exists():
            _follow_moves(home / "dagster.yaml")
        else:
            (home / "dagster.yaml").write_text(_settings_of_a_new_home(settings), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"DAGSTER_HOME: cannot use the folder {home}: {error.strerror}") from error
    if problem := storage_problem(settings):
        raise ConfigError(problem)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def storage_problem(settings: Settings) -> str:
    """Say how dagster.yaml and INGEST_INSTANCE_DB disagree on where runs are kept; empty if they agree."""
    own, database = settings.home / "dagster.yaml", settings.instance_db.get_secret_value()
    here = _read(own)
    if here is None:
        return ""
    is_named = INSTANCE_DB in str([here.get(name) for name in _STORAGES])
    if database and not any(name in here for name in _STORAGES):
        return (
            f"{INSTANCE_DB} is set, and {own} keeps runs in SQLite files in the home; for a new history in the "
            f"database add `storage: {{postgres: {{postgres_url: {{env: {INSTANCE_DB}}}}}}}` "
            f"to it, or take a new DAGSTER_HOME; to keep the history of this home, unset {INSTANCE_DB}"
        )
    if is_named and not database:
        return f"{own} keeps runs in the database that {INSTANCE_DB} names, and that is not set; set it"
    return ""


def _settings_of_a_new_home(settings: Settings) -> str:
    shipped = _SHIPPED.read_text(encoding="utf-8")
    return shipped + _STORAGE if settings.instance_db.get_secret_value() else shipped


def _follow_moves(own: Path) -> None:
    """Replace the modules that earlier releases named in a home's dagster.yaml; everything else stays as it is."""
    before = own.read_text(encoding="utf-8", errors="surrogateescape")
    names = "|".join(map(re.escape, _MOVED))
    after = re.sub(rf"(?<![\w.])(?:{names})(?![\w.])", lambda found: _MOVED[found[0]], before)
    after = after.replace(_QUEUE_OF_0_1_0, _QUEUE)
    if after != before:
        scratch = own.with_name("dagster.yaml.new")
        scratch.write_text(after, encoding="utf-8", errors="surrogateescape")
        scratch.replace(own)


def changed_sections(settings: Settings) -> list[str] | None:
    """Name the sections in which a home's dagster.yaml differs from that of a new home; None if it has none."""
    own = settings.home / "dagster.yaml"
    if not own.is_file():
        return None
    here = _read(own)
    if here is None:
        return []  # the command that needs the file names the fault
    new = yaml.safe_load(_settings_of_a_new_home(settings))
    return sorted(name for name in here.keys() | new.keys() if here.get(name) != new.get(name))


def _read(own: Path) -> dict[str, Any] | None:
    """Read a dagster.yaml; None if there is none, or none that can be read."""
    try:
        found = yaml.safe_load(own.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None

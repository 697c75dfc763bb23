"""Prepare the Dagster home, and compare its dagster.yaml with the shipped one."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import yaml

from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError

_SHIPPED = files("ingest_assets.config") / "dagster.yaml"


def prepare_home(settings: Settings) -> Path:
    """Make the folder, give it the project's dagster.yaml if it has none, and name it to Dagster.

    Raises:
        ConfigError: the folder cannot be made.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            (home / "dagster.yaml").write_bytes(_SHIPPED.read_bytes())
    except OSError as error:
        raise ConfigError(f"DAGSTER_HOME: cannot use the folder {home}: {error.strerror}") from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def changed_sections(home: Path) -> list[str] | None:
    """Name the sections in which a home's dagster.yaml differs from the shipped one; None if it has none."""
    own = home / "dagster.yaml"
    if not own.is_file():
        return None
    try:
        here, shipped = (yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in (own, _SHIPPED))
        return sorted(name for name in here.keys() | shipped.keys() if here.get(name) != shipped.get(name))
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return []  # what cannot be read is named where it is needed

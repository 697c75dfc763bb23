"""Settings in, a Dagster home that is ready for use out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ingest_assets.errors import ConfigError
from ingest_assets.settings import Settings

_SHIPPED = Path(__file__).resolve().parents[1] / "dagster.yaml"


def prepare_home(settings: Settings) -> Path:
    """Make the folder, give it the project's dagster.yaml if it has none, and name it to Dagster.

    Raises:
        ConfigError: the folder cannot be made.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if _SHIPPED.is_file() and not (home / "dagster.yaml").exists():
            shutil.copyfile(_SHIPPED, home / "dagster.yaml")
    except OSError as error:
        raise ConfigError(f"DAGSTER_HOME: cannot use the folder {home}: {error.strerror}") from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home

"""Prepare the Dagster home, and compare its dagster.yaml with the shipped one."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

import yaml

from ingest_assets.config.settings import Settings
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
_QUEUE = "module: ingest_assets.defs.run_coordinator\n  class: TurnTakingRunCoordinator\n"
"""What replaces the lines of 0.1.0. Dagster's own queue can still be chosen, by the module `dagster`."""


def prepare_home(settings: Settings) -> Path:
    """Make the folder, give it the project's dagster.yaml or bring its own up to date, and set DAGSTER_HOME.

    Raises:
        ConfigError: the folder cannot be made.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if (home / "dagster.yaml").exists():
            _follow_moves(home / "dagster.yaml")
        else:
            (home / "dagster.yaml").write_bytes(_SHIPPED.read_bytes())
    except OSError as error:
        raise ConfigError(f"DAGSTER_HOME: cannot use the folder {home}: {error.strerror}") from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


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


def changed_sections(home: Path) -> list[str] | None:
    """Name the sections in which a home's dagster.yaml differs from the shipped one; None if it has none."""
    own = home / "dagster.yaml"
    if not own.is_file():
        return None
    try:
        here, shipped = (yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in (own, _SHIPPED))
        return sorted(name for name in here.keys() | shipped.keys() if here.get(name) != shipped.get(name))
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return []  # the command that needs the file names the fault

"""Let Dagster's daemon look more often than it does, for tests of what it does and not of how long it waits.

Dagster looks at backfills every 30 seconds, whatever the settings: a test of one that is started, cancelled and resumed
waited four minutes. The daemon loads the run coordinator that its instance names, and this one shortens the wait.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from ingest_assets.defs.queue.run_coordinator import TurnTakingRunCoordinator

BACKFILLS_EVERY_S = 2

if controller := sys.modules.get("dagster._daemon.controller"):
    vars(controller)["DEFAULT_DAEMON_INTERVAL_SECONDS"] = BACKFILLS_EVERY_S


class QuickRunCoordinator(TurnTakingRunCoordinator):
    """The project's queue; what is quick is the daemon that loads this module."""


def hasten(home: Path) -> None:
    """Let a prepared home's dagster.yaml name the quick run coordinator."""
    own = home / "dagster.yaml"
    settings = yaml.safe_load(own.read_text())
    settings["run_coordinator"] |= {"module": __name__, "class": QuickRunCoordinator.__name__}
    own.write_text(yaml.safe_dump(settings))

"""Dagster's migration scripts in, the name of the last of them out: read once, not four times a run.

Each of Dagster's storages compares its database's revision with the newest one when it is opened, and the event log
does so again for the run's own database. Each time all of the 89 scripts are found, imported and sorted: a quarter of
the processor time of a run that does little. They come with the package, and the warm process leaves when that changes.
"""

from __future__ import annotations

from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory

_known: dict[str | None, ScriptDirectory] = {}


def remember_migrations() -> None:
    """Read the scripts now; this process and its forks read them no more."""
    from dagster._core.storage import sql

    module: Any = sql
    if getattr(module, "ScriptDirectory", None) is ScriptDirectory:  # else Dagster looks at them in another way by now
        module.ScriptDirectory = _Remembered
        config = Config()
        config.set_main_option("script_location", sql.ALEMBIC_SCRIPTS_LOCATION)
        _Remembered.from_config(config).get_current_head()


class _Remembered:
    """Stands in for alembic's class where Dagster asks it for the newest revision."""

    @staticmethod
    def from_config(config: Config) -> ScriptDirectory:
        """Return the scripts of a place, each of which is read once."""
        place = config.get_main_option("script_location")
        if place not in _known:
            _known[place] = ScriptDirectory.from_config(config)
        return _known[place]

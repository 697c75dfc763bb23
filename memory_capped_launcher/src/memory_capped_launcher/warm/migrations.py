"""Read Dagster's migration scripts once per process instead of four times per run.

When one of Dagster's storages is opened, it compares its database's revision with the newest one, and the event log
does so again for the run's own database. Each time Dagster finds, imports and sorts all 89 scripts: a quarter of the
processor time of a run that does little. The scripts belong to the installed package, and the warm process ends when
the installed packages change. The setting `cache_migrations: false` switches this patch off.
"""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from memory_capped_launcher.dagster_private import sql_module

_known: dict[str | None, ScriptDirectory] = {}


def cache_migrations() -> None:
    """Read the scripts now and let Dagster use them, in this process and in those forked from it."""
    sql = sql_module()
    if getattr(sql, "ScriptDirectory", None) is ScriptDirectory:  # else this Dagster looks for them in another way
        sql.ScriptDirectory = _CachedScripts
        config = Config()
        config.set_main_option("script_location", sql.ALEMBIC_SCRIPTS_LOCATION)
        _CachedScripts.from_config(config).get_current_head()


class _CachedScripts:
    """Takes the place of alembic's class where Dagster asks it for the newest revision."""

    @staticmethod
    def from_config(config: Config) -> ScriptDirectory:
        """Return the scripts at the configured location; read them at the first call."""
        place = config.get_main_option("script_location")
        if place not in _known:
            _known[place] = ScriptDirectory.from_config(config)
        return _known[place]

"""Test that Dagster's migration scripts are read once and that an instance opens as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from alembic.script import ScriptDirectory

from memory_capped_launcher.dagster_private import sql_module
from memory_capped_launcher.warm.migrations import cache_migrations

sql = sql_module()


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "ScriptDirectory", sql.ScriptDirectory)  # so that it is put back
    cache_migrations()


@pytest.mark.usefixtures("cached")
def test_the_scripts_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def load(scripts: ScriptDirectory) -> Iterator[object]:
        read.append(str(scripts.dir))
        return iter(())

    monkeypatch.setattr(ScriptDirectory, "_load_revisions", load)
    config = sql.get_alembic_config(dg.__file__, config_path="_core/storage/runs/sqlite/alembic/alembic.ini")
    engine = sql.create_engine(f"sqlite:///{tmp_path}/empty.db")
    with engine.connect() as connection:
        database, newest = sql.check_alembic_revision(config, connection)
    assert database is None
    assert newest
    assert not read


@pytest.mark.usefixtures("cached")
def test_a_new_instance_is_at_the_newest_revision(tmp_path: Path) -> None:
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        revision, newest = instance.run_storage.alembic_version() or ("", "?")
    assert revision == newest

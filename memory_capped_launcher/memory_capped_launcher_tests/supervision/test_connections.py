"""Test that SQLite connections kept for a run are few, closed at its end, and never shared with a forked child."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from memory_capped_launcher.supervision.connections import kept_connections


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with kept_connections(on=True), dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_a_database_is_opened_once_however_often_it_is_used(instance: dg.DagsterInstance) -> None:
    opened: list[object] = []

    def note(*each: object) -> None:
        opened.append(each)

    event.listen(Pool, "connect", note)
    for number in range(20):
        instance.add_dynamic_partitions("files", [str(number)])
        instance.get_runs()
    event.remove(Pool, "connect", note)
    assert len(instance.get_dynamic_partitions("files")) == 20
    assert len(opened) <= 2


def test_without_the_patch_dagster_opens_its_databases_as_before(tmp_path: Path) -> None:
    opened: list[object] = []

    def note(*each: object) -> None:
        opened.append(each)

    with kept_connections(on=False), dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        event.listen(Pool, "connect", note)
        for number in range(20):
            instance.add_dynamic_partitions("files", [str(number)])
        event.remove(Pool, "connect", note)
    assert len(opened) >= 20


def test_no_database_stays_open_at_the_end(tmp_path: Path) -> None:
    with kept_connections(on=True), dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("files", ["one"])
        assert _open_databases(tmp_path)
    assert not _open_databases(tmp_path)
    assert not list(tmp_path.rglob("*-wal"))


def test_a_forked_child_opens_databases_of_its_own(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("files", ["before"])
    pid = os.fork()
    if pid == 0:
        try:
            instance.add_dynamic_partitions("files", ["in the child"])
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    instance.add_dynamic_partitions("files", ["after"])
    assert set(instance.get_dynamic_partitions("files")) == {"before", "in the child", "after"}


def _open_databases(folder: Path) -> list[str]:
    """Return the databases below a folder that this process maps: SQLite maps the index of a log it has open."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if str(folder) in line and line.endswith(".db-shm")]

"""Test that a process counts as alive as long as it renews its heartbeat."""

from __future__ import annotations

from ingest_assets.index.database import Database
from ingest_assets.messaging.heartbeat import ALIVE_S, beat, is_beating, stop_beating


def test_a_process_is_alive_until_its_heartbeat_is_too_old(database: Database) -> None:
    assert not is_beating(database, "listener")
    beat(database, "listener", process="one", now=100)
    assert is_beating(database, "listener", now=100 + ALIVE_S - 1)
    assert not is_beating(database, "listener", now=100 + ALIVE_S)
    assert not is_beating(database, "other", now=100)
    beat(database, "listener", process="one", now=150)
    assert is_beating(database, "listener", now=150 + ALIVE_S - 1)


def test_a_process_that_stops_is_not_alive_and_another_one_still_is(database: Database) -> None:
    for process in ("one", "two"):
        beat(database, "listener", process=process)
    stop_beating(database, "listener", process="one")
    assert is_beating(database, "listener")
    stop_beating(database, "listener", process="two")
    assert not is_beating(database, "listener")

"""Tell other processes that a resident process is alive, by a time in the database that it renews.

A lock on a file tells that too, but only on its own host. Hosts that share a database see each other's heartbeats.
"""

from __future__ import annotations

import time

from sqlalchemy import Column, Float, Table, func, select

from ingest_assets.index.database import BYTEWISE, METADATA, Database

EVENTS_LISTENER = "events"
"""A process that receives the bucket's events as they come."""
RUNS_LISTENER = "runs"
"""A process that asks for the runs of files as soon as they are pending."""
SENSOR = "sensor"
"""The sensor of the bucket, in the code server of Dagster's daemon."""
ALIVE_S = 30.0
"""A process whose heartbeat is older counts as dead."""
_FORGOTTEN_S = 86_400.0

_heartbeats = Table(
    "ingest_heartbeats",
    METADATA,
    Column("name", BYTEWISE, primary_key=True),
    Column("process", BYTEWISE, primary_key=True),
    Column("at", Float, nullable=False),
)


def beat(database: Database, name: str, *, process: str, now: float | None = None) -> None:
    """Renew a process's heartbeat; `name` says what kind of process it is.

    Raises:
        OutsideError: the database is away.
    """
    at = time.time() if now is None else now
    renewed = (
        database.upsert(_heartbeats)
        .values(name=name, process=process, at=at)
        .on_conflict_do_update(index_elements=["name", "process"], set_={"at": at})
    )
    with database.begin() as connection:
        connection.execute(_heartbeats.delete().where(_heartbeats.c.at < at - _FORGOTTEN_S))
        connection.execute(renewed)


def stop_beating(database: Database, name: str, *, process: str) -> None:
    """Remove a process's heartbeat, so that others take over at once.

    Raises:
        OutsideError: the database is away.
    """
    with database.begin() as connection:
        connection.execute(_heartbeats.delete().where(_heartbeats.c.name == name, _heartbeats.c.process == process))


def is_beating(database: Database, name: str, *, now: float | None = None) -> bool:
    """Tell whether any process of this kind is alive.

    Raises:
        OutsideError: the database is away.
    """
    latest = select(func.max(_heartbeats.c.at)).where(_heartbeats.c.name == name)
    with database.begin(writes=False) as connection:
        at = connection.execute(latest).scalar_one()
    return at is not None and (time.time() if now is None else now) - at < ALIVE_S

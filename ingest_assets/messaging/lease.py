"""Let one process of several do a work at a time, also on several hosts that share a database.

The one that does it renews its lease. A lease that was not renewed for half a minute is given to the next process that
asks. Taking and renewing are one statement, so that two processes that ask at one moment cannot both get it. Where
clocks differ, the lease goes to the host whose clock is ahead and stays there.
"""

from __future__ import annotations

import time

from sqlalchemy import Column, Float, Table, or_, select

from ingest_assets.index.database import BYTEWISE, METADATA, Database
from ingest_assets.messaging.heartbeat import ALIVE_S

_leases = Table(
    "ingest_leases",
    METADATA,
    Column("name", BYTEWISE, primary_key=True),
    Column("holder", BYTEWISE, nullable=False),
    Column("at", Float, nullable=False),
)


def hold(database: Database, name: str, *, holder: str, now: float | None = None) -> bool:
    """Take or renew the lease of a work; tell whether this holder has it now.

    Raises:
        OutsideError: the database is away.
    """
    at = time.time() if now is None else now
    is_free = or_(_leases.c.holder == holder, _leases.c.at <= at - ALIVE_S)
    taken = (
        database.upsert(_leases)
        .values(name=name, holder=holder, at=at)
        .on_conflict_do_update(index_elements=["name"], set_={"holder": holder, "at": at}, where=is_free)
    )
    with database.begin() as connection:
        connection.execute(taken)
        found: str = connection.execute(select(_leases.c.holder).where(_leases.c.name == name)).scalar_one()
    return found == holder


def let_go(database: Database, name: str, *, holder: str) -> None:
    """Give the lease back, so that another process has not to wait.

    Raises:
        OutsideError: the database is away.
    """
    with database.begin() as connection:
        connection.execute(_leases.delete().where(_leases.c.name == name, _leases.c.holder == holder))

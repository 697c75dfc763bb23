"""Look at the outbox as an operator does: count, list, send again, sweep, erase what is an owner's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Table, delete, exists, func, select, true, update

from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_tables import (
    CALLBACKS,
    OUTBOX,
    TARGETS,
    TOLD,
    DeliveryState,
    OutboxEntry,
    entry_of,
    is_in,
)

_MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How much waits in the outbox."""

    pending: int
    dead: int
    oldest_s: float
    """Age of the oldest pending message; 0 where none waits."""
    failing: tuple[str, ...] = ()
    """Targets that failed when they were last tried."""


def count(outbox: Outbox) -> OutboxCounts:
    """Count what waits and what was given up."""
    with outbox.database.begin(writes=False) as connection:
        waiting = select(func.count(), func.min(OUTBOX.c.created_s)).where(is_in(DeliveryState.PENDING))
        pending, oldest = connection.execute(waiting).one()
        dead = connection.execute(select(func.count()).where(is_in(DeliveryState.DEAD))).scalar_one()
        failing = select(TARGETS.c.target).order_by(TARGETS.c.target)
        targets = tuple(connection.execute(failing).scalars())
    age_s = 0.0 if oldest is None else max(0.0, outbox.now_s() - oldest)
    return OutboxCounts(pending, dead, age_s, targets)


def entries(outbox: Outbox, state: DeliveryState, *, limit: int, offset: int = 0) -> list[OutboxEntry]:
    """Return the messages in a state, the oldest first."""
    listed = select(OUTBOX).where(is_in(state)).order_by(OUTBOX.c.id).limit(limit).offset(offset)
    with outbox.database.begin(writes=False) as connection:
        return [entry_of(row) for row in connection.execute(listed)]


def replay(outbox: Outbox, ids: Collection[int] | None) -> int:
    """Have dead letters sent again, those with these numbers or all; return how many.

    Their targets are tried at once. A letter may come after newer messages of its file, which its sequence tells.
    """
    chosen = true() if ids is None else OUTBOX.c.id.in_(list(ids))
    is_dead = is_in(DeliveryState.DEAD)
    anew = {"state": DeliveryState.PENDING.value, "attempts": 0, "first_tried_s": None, "ended_s": None}
    with outbox.database.begin() as connection:
        targets = list(connection.execute(select(OUTBOX.c.target).where(is_dead, chosen).distinct()).scalars())
        # A target is in no series of failures any more, else one failure would give up what is a day old.
        connection.execute(delete(TARGETS).where(TARGETS.c.target.in_(targets)))
        changed = update(OUTBOX).where(is_dead, chosen).values(**anew, due_s=outbox.now_s())
        return int(connection.execute(changed).rowcount)


def sweep(outbox: Outbox, *, days: float) -> int:
    """Delete messages that were sent or given up more than `days` ago, and return how many; what is pending stays.

    Callbacks that ended and the order of files that are gone are deleted with them.
    """
    now = outbox.now_s()
    before = now - days * 86_400
    waits = exists().where(OUTBOX.c.file_id == TOLD.c.file_id)
    with outbox.database.begin() as connection:
        swept = connection.execute(delete(OUTBOX).where(OUTBOX.c.ended_s < before)).rowcount
        connection.execute(delete(CALLBACKS).where(CALLBACKS.c.until_s < now))
        gone = (TOLD.c.is_removed == true()) & (TOLD.c.sequence < int(before * _MILLISECONDS))
        connection.execute(delete(TOLD).where(gone, ~waits))
        used = exists().where(OUTBOX.c.target == TARGETS.c.target)
        connection.execute(delete(TARGETS).where(~used))  # a callback's URL may hold a secret
    return int(swept)


def erase(outbox: Outbox, *, user_id: str, project_id: str = "") -> int:
    """Delete all that is kept for a user, or for one of its projects; return how many messages were deleted.

    Raises:
        ValueError: the user is empty; that never means everybody.
    """
    if not user_id:
        raise ValueError("user_id must not be empty")

    def owned(table: Table) -> int:
        of_project = table.c.project_id == project_id if project_id else true()
        return int(connection.execute(delete(table).where(table.c.user_id == user_id, of_project)).rowcount)

    with outbox.database.begin() as connection:
        messages = owned(OUTBOX)
        for table in (TOLD, CALLBACKS):
            owned(table)
    return messages

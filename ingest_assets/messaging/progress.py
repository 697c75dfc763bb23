"""Write a message to the outbox when a file's state, stage or result changes.

It is a listener of the file index (`index/file_index.py`), which calls it in the transaction of the change. The index
may call it twice for one change, because it reads the ledger again after a kill; what was told already is not told
again. How far a stage is comes often, so it is told every five seconds at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, update

from ingest_assets.index.state_change import PassingState, StateChange
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.messaging.outbox import Message, Outbox
from ingest_assets.messaging.outbox_tables import TOLD

STATE_EVENT = "file.state"
"""The state, the stage or the result of a file is another one."""
PERCENT_EVENT = "file.progress"
"""A stage got further."""
PERCENT_EVERY_S = 5.0

# Four words that a receiver can rely on, also when a later release adds states.
_STATUS = {
    PassingState.PENDING: "queued",
    PassingState.PROCESSING: "processing",
    State.OUT_OF_MEMORY: "processing",
    State.SUCCEEDED: "completed",
    State.PARTIAL: "completed",
    State.EMPTY: "completed",
    PassingState.REMOVED: "completed",
    State.FAILED: "failed",
    State.QUARANTINED: "failed",
    State.CANCELLED: "failed",
}


@dataclass(frozen=True, slots=True)
class ProgressWriter:
    """Tells the targets of the settings, and those that requests named for a file, of each change."""

    outbox: Outbox
    targets: Sequence[str]
    """Told of every file."""

    def __call__(self, connection: Connection, change: StateChange) -> None:
        """Write the change for each target, unless it was told already or a percent was told a moment ago."""
        targets = [*self.targets, *self.outbox.callbacks(connection, change.file_id)]
        if not targets:
            return
        before = select(TOLD).where(TOLD.c.file_id == change.file_id).with_for_update()
        told, now, news = connection.execute(before).one_or_none(), self.outbox.now_s(), _digest(change)
        is_percent = told is not None and told.told == news
        if told is not None and is_percent:
            is_known = told.percent == change.percent
            if is_known or 0 <= now - told.told_s < PERCENT_EVERY_S:
                return
        message = message_of(change, event=PERCENT_EVENT if is_percent else STATE_EVENT)
        self.outbox.put(connection, message, targets=targets)
        named = update(TOLD).where(TOLD.c.file_id == change.file_id)
        connection.execute(named.values(told=news, told_s=now, percent=change.percent))


def change_of(record: FileRecord) -> StateChange:
    """Say what the ledger says of a file, for a request that changes nothing."""
    return StateChange(
        file_id=record.file_id,
        user_id=record.user_id,
        project_id=record.project_id,
        filename=record.filename,
        key=record.key,
        state=record.state,
        version=record.version,
        generation=record.generation,
        chunks=record.chunks,
        pages=record.pages,
        quarantined=record.quarantined,
        error=record.error,
        at=record.updated_at,
    )


def message_of(change: StateChange, *, event: str) -> Message:
    """Make the message of a change; `docs/progress.md` describes its fields."""
    return Message(
        file_id=change.file_id,
        user_id=change.user_id,
        project_id=change.project_id,
        event=event,
        content={**asdict(change), "status": _STATUS[change.state]},
        is_last=change.state is PassingState.REMOVED,
    )


def _digest(change: StateChange) -> str:
    """Return a digest of all that is news at once: everything but the time and the percent."""
    news = {name: value for name, value in asdict(change).items() if name not in {"at", "percent"}}
    return hashlib.sha256(repr(sorted(news.items())).encode()).hexdigest()

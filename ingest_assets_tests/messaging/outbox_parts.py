"""Make messages, changes and clocks for the tests of the outbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ingest_assets.index.database import Database
from ingest_assets.index.state_change import PassingState, StateChange
from ingest_assets.messaging.outbox import Message, Outbox
from ingest_assets.messaging.outbox_tables import OutboxEntry

A, B = "ann:p:a.pdf", "ann:p:b.pdf"
WEBHOOK = "webhook:progress"
DAY_S = 86_400.0


@dataclass(slots=True)
class SetClock:
    """A clock that stands still until a test moves it."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def outbox_of(database: Database, clock: SetClock) -> Outbox:
    return Outbox(database, now_s=clock, share=lambda: 1.0)


def change(file_id: str = "ann:p:a.pdf", **values: Any) -> StateChange:
    user, project, filename = file_id.split(":")
    known: dict[str, Any] = {
        "state": PassingState.PROCESSING,
        "version": "v1",
        "stage": "parsed_documents",
        "at": "2026-11-30T00:00:00+00:00",
    }
    return StateChange(
        file_id=file_id,
        user_id=user,
        project_id=project,
        filename=filename,
        key=f"{user}/{project}/{filename}",
        **(known | values),
    )


def message(file_id: str, text: str = "") -> Message:
    user, project, _ = file_id.split(":")
    return Message(file_id=file_id, user_id=user, project_id=project, event="test", content={"text": text})


def put(outbox: Outbox, file_id: str, text: str, *, targets: tuple[str, ...] = (WEBHOOK,)) -> str:
    with outbox.database.begin() as connection:
        return outbox.put(connection, message(file_id, text), targets=targets)


def text(entry: OutboxEntry) -> str:
    return str(json.loads(entry.body)["text"])


def claimed(outbox: Outbox, *, claim: str = "one", limit: int = 10) -> list[OutboxEntry]:
    return outbox.claim("webhook", limit=limit, claim=claim)

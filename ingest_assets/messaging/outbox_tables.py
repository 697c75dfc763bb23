"""Declare the tables of the outbox: messages, receivers that fail, what each file's last message said, callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    FromClause,
    Index,
    Integer,
    Row,
    Table,
    Text,
    literal,
)

from ingest_assets.index.database import BYTEWISE, METADATA

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up in INTEGER columns only


class DeliveryState(StrEnum):
    """Where a message is on its way to one receiver."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    """Given up; `ingest outbox --replay` sends it again."""


OUTBOX = Table(
    "ingest_outbox",
    METADATA,
    Column("id", _ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("message_id", Text, nullable=False),
    Column("file_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("target", BYTEWISE, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("due_s", Float, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("first_tried_s", Float),
    Column("claim", Text, nullable=False, default=""),
    Column("claimed_until_s", Float, nullable=False, default=0.0),
    Column("ended_s", Float),
    Column("reason", Text, nullable=False, default=""),
    Index("ingest_outbox_ended", "ended_s"),
    sqlite_autoincrement=True,  # a number is never given twice, also when the newest row was swept
)
"""One row for each message and receiver. Times are seconds since 1970."""


def is_in(state: DeliveryState, table: FromClause = OUTBOX) -> ColumnElement[bool]:
    """Say that a row is in a state, in the words of the partial indexes: a bound value would not match them."""
    return table.c.state == literal(state.value, literal_execute=True)


# What waits is found at once however much was sent: each index holds the few rows that are in one state.
for _name, _columns, _only in (
    ("ingest_outbox_next", ("target", "id"), is_in(DeliveryState.PENDING)),
    ("ingest_outbox_order", ("target", "file_id", "id"), is_in(DeliveryState.PENDING)),
    ("ingest_outbox_age", ("created_s",), is_in(DeliveryState.PENDING)),
    ("ingest_outbox_dead", ("id",), is_in(DeliveryState.DEAD)),
    ("ingest_outbox_claims", ("claim",), OUTBOX.c.claim != literal("", literal_execute=True)),
):
    Index(_name, *(OUTBOX.c[each] for each in _columns), sqlite_where=_only, postgresql_where=_only)

TARGETS = Table(
    "ingest_outbox_targets",
    METADATA,
    Column("target", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failing_since_s", Float, nullable=False),
    Column("last_failed_s", Float, nullable=False),
    Column("paused_until_s", Float, nullable=False),
)
"""One row for each receiver that failed when it was last tried."""

TOLD = Table(
    "ingest_outbox_files",
    METADATA,
    Column("file_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("told", Text, nullable=False, default=""),
    Column("told_s", Float, nullable=False, default=0.0),
    Column("percent", Integer, nullable=False, default=0),
    Column("is_removed", Boolean, nullable=False, default=False),
)
"""One row for each file that anything was told of: the number of its last message, and what that said."""

CALLBACKS = Table(
    "ingest_outbox_callbacks",
    METADATA,
    Column("file_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("until_s", Float, nullable=False),
)
"""Receivers that a request named for one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A message on its way to one receiver."""

    id: int
    message_id: str
    """The same for every attempt and every receiver."""
    file_id: str
    target: str
    """Channel and place, such as `webhook:progress`. A place may be a URL with secrets in it: never shown whole."""
    event: str
    body: str
    """JSON."""
    state: str
    created_s: float
    due_s: float
    """When it may be tried next."""
    attempts: int
    first_tried_s: float | None
    claim: str
    claimed_until_s: float
    """Until then only the process that holds the claim may send it."""
    reason: str
    """What the last attempt came to; empty where there was none or it went well."""


def entry_of(row: Row[tuple[object, ...]]) -> OutboxEntry:
    """Read a row of the outbox."""
    return OutboxEntry(**{name: getattr(row, name) for name in OutboxEntry.__slots__})

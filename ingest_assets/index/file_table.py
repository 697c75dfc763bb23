"""Declare the table of files: what the bucket shows of each, what the ledger says, and what is on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    Table,
    Text,
    and_,
)

from ingest_assets.index.database import BYTEWISE, METADATA
from ingest_assets.index.state_change import FileState, PassingState, StateChange
from ingest_assets.ledger_records import utc_text


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


FILES_TABLE = Table(
    "ingest_files",
    METADATA,
    Column("file_id", BYTEWISE, primary_key=True),
    _text("key"),
    # The key as the bucket lists it: on an object store it may be in another form of Unicode than `key`.
    Column("stored_key", BYTEWISE, nullable=False, index=True),
    _text("user_id"),
    _text("project_id"),
    # What the bucket shows.
    _text("bucket_version"),  # empty: nothing is there
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    Column("modified_at", Float, nullable=False, server_default="0"),
    Column("seen_at", Float, nullable=False, server_default="0"),  # when this version was first seen
    Column("is_whole", Boolean, nullable=False, server_default="0"),
    Column("missing_since", Float),  # the first look at which it was not there
    Column("missing_until", Float),  # the last such look
    # What the ledger says of the last attempt.
    Column("in_ledger", Boolean, nullable=False, server_default="0"),
    _text("ledger_version"),
    _text("ledger_state"),
    _text("sha256"),
    _text("media_type"),
    _text("fingerprint"),
    _number("generation"),
    _number("chunks"),
    _number("pages"),
    Column("seconds", Float, nullable=False, server_default="0"),
    _text("updated_at"),
    _text("error"),
    Column("writing_since", Float),  # a process is about to write the ledger
    # What is on its way.
    _text("state"),
    _text("stage"),
    _number("percent"),
    Column("stage_at", Float, nullable=False, server_default="0"),
)
"""One row for each file that the bucket shows or the ledger knows. Times are seconds since 1970."""

c = FILES_TABLE.c
IS_PENDING = and_(c.bucket_version != "", c.bucket_version != c.ledger_version)
"""The bucket shows a version that was not attempted yet."""
IS_MISSING = and_(c.in_ledger, c.missing_since.is_not(None))
Index("ix_ingest_files_scope", c.user_id, c.project_id)
Index("ix_ingest_files_state", c.state)
Index("ix_ingest_files_sha256", c.sha256)
Index("ix_ingest_files_pending", c.modified_at, sqlite_where=IS_PENDING, postgresql_where=IS_PENDING)
Index("ix_ingest_files_missing", c.missing_since, sqlite_where=IS_MISSING, postgresql_where=IS_MISSING)
Index(
    "ix_ingest_files_writing",
    c.writing_since,
    sqlite_where=c.writing_since.is_not(None),
    postgresql_where=c.writing_since.is_not(None),
)

Listener = Callable[[Connection, StateChange], None]
"""Is told of each change, in the transaction that makes it."""


def tell(listeners: Sequence[Listener], connection: Connection, row: Row[tuple[object, ...]], state: FileState) -> None:
    """Tell the listeners the state of a row as it is now."""
    if not listeners:
        return
    values = row._mapping
    filename = str(values["key"]).split("/", 2)[-1]
    version = values["bucket_version"] if state in _OF_THE_BUCKET else values["ledger_version"]
    change = StateChange(
        file_id=values["file_id"],
        user_id=values["user_id"],
        project_id=values["project_id"],
        filename=filename,
        key=values["key"],
        state=state,
        version=version,
        stage=values["stage"] if state is PassingState.PROCESSING else "",
        percent=values["percent"] if state is PassingState.PROCESSING else 0,
        generation=values["generation"],
        chunks=values["chunks"],
        pages=values["pages"],
        error="" if state in _OF_THE_BUCKET else values["error"],
        at=utc_text(),
    )
    for listener in listeners:
        listener(connection, change)


_OF_THE_BUCKET = {PassingState.PENDING, PassingState.PROCESSING}


def now_s() -> float:
    """Return the time, in seconds since 1970."""
    return time.time()

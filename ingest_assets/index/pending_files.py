"""List what is pending: the one place that sensor, `ingest work`, `ingest listen`, schedule and status ask.

Pending is a version in the bucket that was not attempted yet, once it is whole; and a file that failed by no fault of
its own, after a pause. A file whose run was cancelled was attempted: it waits until it changes or somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, true

from ingest_assets.batches import batches
from ingest_assets.index.database import Database
from ingest_assets.index.file_table import IS_MISSING, IS_PENDING, c, now_s
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import State, utc_text

_HOUR_S = 3600.0
_AT_ONCE = 500
_OUTSIDE = and_(
    c.in_ledger,
    c.ledger_state == State.FAILED.value,
    c.fingerprint == "",
    c.bucket_version != "",
    c.bucket_version == c.ledger_version,
)
"""The last attempt failed by no fault of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingFile:
    """A file to ingest."""

    file_id: str
    key: str
    user_id: str
    size_bytes: int
    modified_at: float
    """Seconds since 1970, by the bucket's clock."""
    is_repeated: bool
    """Its last attempt failed by no fault of its own."""


@dataclass(frozen=True, slots=True)
class IndexCounts:
    """How many files are in which state."""

    by_state: dict[str, int]
    oldest_pending_s: float
    """How long ago the oldest pending version was first seen, in seconds; 0 if none is pending."""
    missing: int
    """Files of the ledger that the last look did not find."""
    seconds_a_file: float
    """What the files of the last hour took, on average; 0 if there were none."""


class PendingFiles:
    """Lists what is pending, by the index."""

    def __init__(self, database: Database, *, retry_after_s: float) -> None:
        """A file that failed by no fault of its own is pending again after `retry_after_s` seconds."""
        self._database = database
        self._retry_after_s = retry_after_s

    def next(self, *, limit: int, now: float | None = None) -> list[PendingFile]:
        """Return pending files, so that users take turns.

        The first file of each user comes before the second file of any. A user's files are ordered by size, the
        smallest first; those that have waited for an hour come before the others.
        """
        now = now or now_s()
        wanted = or_(and_(IS_PENDING, c.is_whole), self._may_be_repeated(now))
        has_waited = case((c.seen_at < now - _HOUR_S, 0), else_=1)
        turn = func.row_number().over(
            partition_by=c.user_id, order_by=(has_waited, c.size_bytes, c.modified_at, c.file_id)
        )
        columns = (c.file_id, c.key, c.user_id, c.size_bytes, c.modified_at, IS_PENDING.label("is_new"))
        turns = select(*columns, turn.label("turn")).where(wanted).subquery()
        query = select(turns).order_by(turns.c.turn, turns.c.modified_at, turns.c.file_id).limit(limit)
        with self._database.begin(writes=False) as connection:
            return [
                PendingFile(
                    file_id=row.file_id,
                    key=row.key,
                    user_id=row.user_id,
                    size_bytes=row.size_bytes,
                    modified_at=row.modified_at,
                    is_repeated=not row.is_new,
                )
                for row in connection.execute(query)
            ]

    def still(self, file_ids: Sequence[str], *, now: float | None = None) -> set[str]:
        """Return those of these files that are pending still."""
        wanted = or_(and_(IS_PENDING, c.is_whole), self._may_be_repeated(now or now_s()))
        found: set[str] = set()
        with self._database.begin(writes=False) as connection:
            for names in batches(file_ids, _AT_ONCE):
                found.update(connection.execute(select(c.file_id).where(c.file_id.in_(names), wanted)).scalars())
        return found

    def growing(self, *, limit: int) -> list[str]:
        """Return keys of files that may still be growing, those seen longest ago first."""
        query = select(c.key).where(IS_PENDING, ~c.is_whole).order_by(c.seen_at).limit(limit)
        with self._database.begin(writes=False) as connection:
            return list(connection.execute(query).scalars())

    def count(self, *, now: float | None = None) -> int:
        """Return how many files are pending."""
        wanted = or_(and_(IS_PENDING, c.is_whole), self._may_be_repeated(now or now_s()))
        with self._database.begin(writes=False) as connection:
            return connection.execute(select(func.count()).where(wanted)).scalar_one()

    def waiting(self, *, user_id: str = "", within: Connection | None = None) -> int:
        """Return how many files wait for their first run or are in it, of all users or of one.

        `within` is the transaction of the caller, if it has one.
        """
        waits = or_(IS_PENDING, c.state == PassingState.PROCESSING.value)
        if user_id:
            waits = and_(c.user_id == user_id, waits)
        with self._database.within(within) as connection:
            return connection.execute(select(func.count()).where(waits)).scalar_one()

    def counts(self, *, now: float | None = None) -> IndexCounts:
        """Count files by state."""
        now = now or now_s()
        with self._database.begin(writes=False) as connection:
            states = connection.execute(select(c.state, func.count()).where(true()).group_by(c.state)).all()
            oldest = connection.execute(select(func.min(c.seen_at)).where(IS_PENDING, c.is_whole)).scalar_one_or_none()
            missing = connection.execute(select(func.count()).where(IS_MISSING)).scalar_one()
            lately = c.updated_at >= _utc(now - _HOUR_S)
            took = connection.execute(select(func.avg(c.seconds)).where(c.in_ledger, lately)).scalar_one_or_none()
        age_s = now - oldest if oldest else 0.0
        return IndexCounts({state: files for state, files in states if state}, age_s, missing, took or 0.0)

    def _may_be_repeated(self, now: float) -> ColumnElement[bool]:
        return and_(_OUTSIDE, c.updated_at <= _utc(now - self._retry_after_s))


def _utc(moment: float) -> str:
    return utc_text(datetime.fromtimestamp(moment, UTC))

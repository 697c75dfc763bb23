"""Count what users and projects hold and use, for quotas.

What they hold follows from the index. What they use on a day (UTC) is added up as it is used: by runs of files, and by
the service for chunks that clients hand in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, Float, Table, Text, delete, func, select

from ingest_assets.access.quotas import Use
from ingest_assets.index.database import BYTEWISE, METADATA, Database
from ingest_assets.index.file_table import c as file_columns
from ingest_assets.index.file_table import now_s
from ingest_assets.ledger_records import FileRecord, Scope

CHARS_A_TOKEN = 4
_TABLE = Table(
    "ingest_usage",
    METADATA,
    Column("user_id", BYTEWISE, primary_key=True),
    Column("project_id", BYTEWISE, primary_key=True),
    Column("day", Text, primary_key=True),  # UTC, ISO 8601
    Column("chunks", Float, nullable=False),
    Column("ocr_pages", Float, nullable=False),
    Column("tokens", Float, nullable=False),
)
_c = _TABLE.c
_COUNTED = ("chunks", "ocr_pages", "tokens")


def tokens_of(record: FileRecord) -> int:
    """Return how many tokens the publication of a file embedded, as far as its counts tell."""
    if not record.chunks:
        return 0
    return round(record.characters * record.embedded / record.chunks / CHARS_A_TOKEN)


class Usage:
    """What the users and projects of one service hold and use."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = now_s) -> None:
        """Take the database, and a clock that gives seconds since 1970."""
        self._database = database
        self._clock = clock

    def add(self, scope: Scope, *, chunks: int = 0, ocr_pages: int = 0, tokens: int = 0) -> None:
        """Add what a project used now."""
        added = self._database.upsert(_TABLE).values(
            user_id=scope.user_id,
            project_id=scope.project_id,
            day=self._day(),
            chunks=chunks,
            ocr_pages=ocr_pages,
            tokens=tokens,
        )
        sums = {name: _c[name] + added.excluded[name] for name in _COUNTED}
        with self._database.begin() as connection:
            connection.execute(
                added.on_conflict_do_update(index_elements=[_c.user_id, _c.project_id, _c.day], set_=sums)
            )

    def of(self, user_id: str, project_id: str = "", *, within: Connection | None = None) -> Use:
        """Return what a user holds and has used on this day; with a project, what that project has.

        `within` is the transaction of the caller, if it has one.

        Raises:
            OutsideError: the database is away.
        """
        files = [file_columns.user_id == user_id, file_columns.bucket_version != ""]
        days = [_c.user_id == user_id, _c.day == self._day()]
        if project_id:
            files.append(file_columns.project_id == project_id)
            days.append(_c.project_id == project_id)
        held = select(func.count(), func.coalesce(func.sum(file_columns.size_bytes), 0)).where(*files)
        used = select(*(func.coalesce(func.sum(_c[name]), 0) for name in _COUNTED)).where(*days)
        with self._database.within(within) as connection:
            count, size_bytes = connection.execute(held).one()
            chunks, ocr_pages, tokens = connection.execute(used).one()
        return Use(int(count), int(size_bytes), int(chunks), int(ocr_pages), int(tokens))

    def sweep(self, *, days: int) -> int:
        """Forget what was used more than so many days ago; return how many rows there were."""
        before = (datetime.fromtimestamp(self._clock(), UTC) - timedelta(days=days)).date().isoformat()
        with self._database.begin() as connection:
            return int(connection.execute(delete(_TABLE).where(_c.day < before)).rowcount)

    def erase(self, *, user_id: str, project_id: str = "") -> None:
        """Forget a user, or one of its projects."""
        wanted = [_c.user_id == user_id, *([_c.project_id == project_id] if project_id else [])]
        with self._database.begin() as connection:
            connection.execute(delete(_TABLE).where(*wanted))

    def seconds_left(self) -> float:
        """Return how long the day lasts, in seconds."""
        return 86_400.0 - self._clock() % 86_400.0

    def _day(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).date().isoformat()

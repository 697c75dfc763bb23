"""Decide which missing files are gone, and hold back deletes that look like an operator's mistake.

A file is gone when two looks, `grace_s` apart, did not find it. If more than a share of a user's project, or of all
files, would go within 24 hours, its deletes wait until a person confirms them: a wrong mount, a wrong prefix or a
script gone wrong looks just like that. A file whose content stands under another name of the same user is a renamed
one and does not count. What a person removes by name is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    select,
    true,
)

from ingest_assets.file_ids import composed
from ingest_assets.index.database import BYTEWISE, METADATA, Database
from ingest_assets.index.file_table import FILES_TABLE, IS_MISSING, c, now_s

_DAY_S = 86_400.0
_AT_LEAST = 20
_EVERYTHING = ("", "")

_PURGES = Table(
    "ingest_purges",
    METADATA,
    Column("file_id", BYTEWISE, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("at", Float, nullable=False, index=True),
)
_CONFIRMED = Table(
    "ingest_confirmed_deletes",
    METADATA,
    Column("name", Text, primary_key=True),
    # Files that were first missed at this time or before may go.
    Column("missed_before", Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class WaitingDeletes:
    """Deletes of one project, or of all files, that wait for a person."""

    user_id: str
    """Empty: of all files."""
    project_id: str
    files: int
    """Files that would go, with those that went in the last 24 hours."""
    of: int

    def __str__(self) -> str:
        """Say what waits and what to do."""
        place = f"of {self.user_id}/{self.project_id}" if self.user_id else "of all projects"
        return (
            f"{self.files} of {self.of} files {place} are gone from the bucket within a day; their chunks are kept "
            "until `ingest confirm-deletes`, or until the files are back"
        )


class Deletes:
    """Which missing files may be purged."""

    def __init__(self, database: Database, *, grace_s: float, max_share: float) -> None:
        """`max_share` is the share of a project, or of all files, that may go in a day; 1 lets everything go."""
        self._database = database
        self._grace_s = grace_s
        self._max_share = max_share

    def gone(self, *, limit: int, now: float | None = None) -> tuple[list[str], list[WaitingDeletes]]:
        """Return the files to purge, those missed longest first, and the deletes that wait for a person."""
        now = now or now_s()
        with self._database.begin(writes=False) as connection:
            due = [row for row in connection.execute(self._due()) if _may_go(connection, row.file_id)]
            if not due:
                return [], []
            waiting = self._held_back(connection, now=now)
            scopes = {(each.user_id, each.project_id) for each in waiting}
            confirmed = connection.execute(select(_CONFIRMED.c.missed_before)).scalar_one_or_none() or 0.0
        free = [
            row.file_id
            for row in due
            if row.missing_since <= confirmed or not ({_EVERYTHING, (row.user_id, row.project_id)} & scopes)
        ]
        still = [each for each in waiting if any(row.missing_since > confirmed and _within(row, each) for row in due)]
        return free[:limit], still

    def confirm(self, *, now: float | None = None) -> int:
        """Let all files go that are missing now; return how many they are."""
        now = now or now_s()
        with self._database.begin() as connection:
            connection.execute(
                self._database.upsert(_CONFIRMED)
                .values(name="all", missed_before=now)
                .on_conflict_do_update(index_elements=[_CONFIRMED.c.name], set_={"missed_before": now})
            )
            return connection.execute(select(func.count()).where(IS_MISSING)).scalar_one()

    def next_at(self) -> float | None:
        """Return when the next missing file may be looked at for the second time; None if nothing is missing."""
        with self._database.begin(writes=False) as connection:
            first = connection.execute(select(func.min(c.missing_since)).where(IS_MISSING)).scalar_one_or_none()
        return None if first is None else first + self._grace_s

    def purged(self, file_ids: Sequence[str], *, now: float | None = None) -> None:
        """Note that these files are being purged, for the count of a day."""
        now = now or now_s()
        with self._database.begin() as connection:
            for file_id in file_ids:
                row = connection.execute(
                    select(c.user_id, c.project_id).where(c.file_id == file_id, ~_is_renamed())
                ).one_or_none()
                if row is not None:
                    connection.execute(
                        self._database.upsert(_PURGES)
                        .values(file_id=file_id, user_id=row.user_id, project_id=row.project_id, at=now)
                        .on_conflict_do_update(index_elements=[_PURGES.c.file_id], set_={"at": now})
                    )
            connection.execute(delete(_PURGES).where(_PURGES.c.at < now - _DAY_S))

    def erase(self, *, user_id: str, project_id: str) -> None:
        """Forget what a user, or one project of it, had purged."""
        of_project = _PURGES.c.project_id == project_id if project_id else true()
        with self._database.begin() as connection:
            connection.execute(delete(_PURGES).where(_PURGES.c.user_id == user_id, of_project))

    def _due(self) -> Select[Any]:
        return (
            select(c.file_id, c.user_id, c.project_id, c.missing_since)
            .where(IS_MISSING, c.missing_until > c.missing_since, c.missing_until - c.missing_since >= self._grace_s)
            .order_by(c.missing_since, c.file_id)
        )

    def _held_back(self, connection: Connection, *, now: float) -> list[WaitingDeletes]:
        """Return the scopes of which too much would go."""
        going, known = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        missing = select(c.user_id, c.project_id, func.count()).where(IS_MISSING, ~_is_renamed())
        lately = select(_PURGES.c.user_id, _PURGES.c.project_id, func.count()).where(
            _PURGES.c.at >= now - _DAY_S,
            # A purge that was asked for and not done yet is among the missing.
            ~exists().where(and_(c.file_id == _PURGES.c.file_id, IS_MISSING)),
        )
        for user_id, project_id, files in connection.execute(missing.group_by(c.user_id, c.project_id)):
            going[user_id, project_id] += files
        for user_id, project_id, files in connection.execute(lately.group_by(_PURGES.c.user_id, _PURGES.c.project_id)):
            going[user_id, project_id] += files
            known[user_id, project_id] += files
        kept = select(c.user_id, c.project_id, func.count()).where(c.in_ledger).group_by(c.user_id, c.project_id)
        for user_id, project_id, files in connection.execute(kept):
            known[user_id, project_id] += files
        going[_EVERYTHING], known[_EVERYTHING] = going.total(), known.total()
        return [
            WaitingDeletes(*scope, files=files, of=known[scope])
            for scope, files in sorted(going.items())
            if files > max(_AT_LEAST, self._max_share * known[scope])
        ]


def _may_go(connection: Connection, file_id: str) -> bool:
    """Tell whether nothing is lost: what an earlier release kept in decomposed letters goes after its composed name."""
    successor = composed(file_id)
    if successor == file_id:
        return True
    published = select(c.file_id).where(c.file_id == successor, c.in_ledger, c.generation > 0)
    return connection.execute(published).first() is not None


def _within(row: Row[Any], waiting: WaitingDeletes) -> bool:
    scope = (row.user_id, row.project_id)
    return not waiting.user_id or scope == (waiting.user_id, waiting.project_id)


def _is_renamed() -> ColumnElement[bool]:
    """Match a missing file whose content the same user has under a name that is there."""
    other = FILES_TABLE.alias()
    return and_(
        c.sha256 != "",
        exists().where(
            other.c.sha256 == c.sha256,
            other.c.user_id == c.user_id,
            other.c.in_ledger,
            other.c.missing_since.is_(None),
            other.c.chunks > 0,
        ),
    )

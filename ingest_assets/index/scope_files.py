"""Say of one project which files the ledger does not know yet, and where its files are on their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select

from ingest_assets.batches import batches
from ingest_assets.index.database import Database
from ingest_assets.index.file_table import FILES_TABLE, c
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import Scope

_AT_ONCE = 500
_UNDERWAY = [PassingState.PENDING.value, PassingState.PROCESSING.value]


@dataclass(frozen=True, slots=True)
class FileUnderway:
    """A file that waits for its run, or is being read."""

    file_id: str
    key: str
    size_bytes: int
    state: PassingState
    stage: str
    """Asset that is being made; only while processing."""
    percent: int
    """How much of the file is done, 0 to 100."""


class ScopeFiles:
    """The files of projects, by the index."""

    def __init__(self, database: Database) -> None:
        """Take the database of the index."""
        self._database = database

    def new(self, scope: Scope, *, limit: int, offset: int) -> list[FileUnderway]:
        """List by file_id the files that no run has tried yet."""
        query = select(FILES_TABLE).where(_is_new(scope)).order_by(c.file_id).limit(limit).offset(offset)
        with self._database.begin(writes=False) as connection:
            return [_underway(row) for row in connection.execute(query)]

    def count_new(self, scope: Scope) -> int:
        """Count the files that no run has tried yet."""
        with self._database.begin(writes=False) as connection:
            return connection.execute(select(func.count()).where(_is_new(scope))).scalar_one()

    def underway(self, file_ids: Sequence[str]) -> dict[str, FileUnderway]:
        """Return those of these files that wait or are being read, by file_id."""
        found: dict[str, FileUnderway] = {}
        with self._database.begin(writes=False) as connection:
            for names in batches(file_ids, _AT_ONCE):
                query = select(FILES_TABLE).where(c.file_id.in_(names), c.state.in_(_UNDERWAY))
                found |= {row.file_id: _underway(row) for row in connection.execute(query)}
        return found


def _is_new(scope: Scope) -> ColumnElement[bool]:
    owned = and_(c.user_id == scope.user_id, c.project_id == scope.project_id)
    return and_(owned, ~c.in_ledger, c.state.in_(_UNDERWAY))


def _underway(row: Row[Any]) -> FileUnderway:
    values = row._mapping
    state = PassingState(values["state"])
    is_read = state is PassingState.PROCESSING
    return FileUnderway(
        file_id=values["file_id"],
        key=values["key"],
        size_bytes=values["size_bytes"],
        state=state,
        stage=values["stage"] if is_read else "",
        percent=values["percent"] if is_read else 0,
    )

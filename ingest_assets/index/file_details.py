"""Keep what the latest upload of a file said of it, so that every run of the file gives it to the file's chunks.

A folder keeps no fields beside a file, and the ledger's record is written by runs, not by requests: so they stand in a
table here. The record has a copy of what was published (`FileRecord.metadata`), from which a lost table is filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Float, Table, Text, delete, exists, select

from ingest_assets.batches import batches
from ingest_assets.file_ids import key_of, owner_of
from ingest_assets.index.database import BYTEWISE, METADATA, Database
from ingest_assets.index.file_table import FILES_TABLE, now_s
from ingest_assets.ledger_records import FileRecord

_AT_ONCE = 500
_DAY_S = 86_400.0
_TABLE = Table(
    "ingest_file_details",
    METADATA,
    Column("file_id", BYTEWISE, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("metadata", Text, nullable=False),  # a JSON object; empty: the upload took away what was said before
    Column("at_s", Float, nullable=False),  # seconds since 1970
)
_c = _TABLE.c


class FileDetails:
    """What uploads said of the files of one project; a JSON object as text, empty where nothing is said."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def of(self, file_id: str) -> str:
        """Return what is said of a file."""
        return self.of_files([file_id]).get(file_id, "")

    def of_files(self, file_ids: Sequence[str]) -> dict[str, str]:
        """Return what is said of some files, by file_id; files of which nothing is said are left out."""
        found: dict[str, str] = {}
        if not file_ids:
            return found
        with self._database.begin(writes=False) as connection:
            for names in batches(file_ids, _AT_ONCE):
                rows = connection.execute(select(_c.file_id, _c.metadata).where(_c.file_id.in_(names)))
                found |= {row.file_id: row.metadata for row in rows if row.metadata}
        return found

    def note(self, file_ids: Iterable[str], metadata: str) -> None:
        """Note what is said of some files now; it takes the place of what was said of them before."""
        with self._database.begin() as connection:
            for file_id in file_ids:
                row = _row(file_id, metadata)
                added = self._database.upsert(_TABLE).values(**row)
                connection.execute(added.on_conflict_do_update(index_elements=[_c.file_id], set_=row))

    def sweep(self) -> int:
        """Forget files that the index does not know, a day after something was said of them; return how many."""
        is_known = exists().where(FILES_TABLE.c.file_id == _c.file_id)
        with self._database.begin() as connection:
            return connection.execute(delete(_TABLE).where(~is_known, _c.at_s < now_s() - _DAY_S)).rowcount

    def erase(self, *, user_id: str, project_id: str = "") -> None:
        """Forget what is said of a user's files, or of those of one project."""
        wanted = [_c.user_id == user_id, *([_c.project_id == project_id] if project_id else [])]
        with self._database.begin() as connection:
            connection.execute(delete(_TABLE).where(*wanted))


def restore_details(database: Database, connection: Connection, records: Iterable[FileRecord]) -> None:
    """Fill in what the table lacks of files whose records say it."""
    if rows := [_row(record.file_id, record.metadata) for record in records if record.metadata]:
        connection.execute(database.upsert(_TABLE).on_conflict_do_nothing(), rows)


def forget_details(connection: Connection, file_id: str) -> None:
    """Forget a file that is gone."""
    connection.execute(delete(_TABLE).where(_c.file_id == file_id))


def _row(file_id: str, metadata: str) -> dict[str, Any]:
    user_id, project_id, _ = owner_of(key_of(file_id))
    return {
        "file_id": file_id,
        "user_id": user_id,
        "project_id": project_id,
        "metadata": metadata,
        "at_s": now_s(),
    }

"""Count how often runs tried a version of a file.

The ledger says how the last attempt ended and not how many there were; Dagster's runs are swept after a while.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Integer, Table, Text, case, delete, select

from ingest_assets.batches import batches
from ingest_assets.index.database import BYTEWISE, METADATA, Database

ATTEMPTS = Table(
    "ingest_attempts",
    METADATA,
    Column("file_id", BYTEWISE, primary_key=True),
    Column("version", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
)
_AT_ONCE = 500
_c = ATTEMPTS.c


def count_attempt(database: Database, file_id: str, *, version: str, run_id: str) -> None:
    """Count a run that tries a version; the same run is counted once, and another version begins at one."""
    same = (_c.file_id == file_id) & (_c.version == version) & (_c.run_id == run_id)
    with database.begin(writes=False) as connection:  # each asset of a run asks, and the first one counts
        if connection.execute(select(_c.file_id).where(same)).first() is not None:
            return
    added = database.upsert(ATTEMPTS).values(file_id=file_id, version=version, run_id=run_id, attempts=1)
    again = case((_c.version == version, _c.attempts + case((_c.run_id == run_id, 0), else_=1)), else_=1)
    with database.begin() as connection:
        connection.execute(
            added.on_conflict_do_update(
                index_elements=[_c.file_id], set_={"attempts": again, "version": version, "run_id": run_id}
            )
        )


def attempts_of(connection: Connection, file_ids: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return how often files were tried, by file_id and version."""
    found: dict[tuple[str, str], int] = {}
    for names in batches(file_ids, _AT_ONCE):
        rows = connection.execute(select(ATTEMPTS).where(_c.file_id.in_(names)))
        found |= {(row.file_id, row.version): row.attempts for row in rows}
    return found


def forget_attempts(connection: Connection, file_id: str) -> None:
    """Forget a file that is gone."""
    connection.execute(delete(ATTEMPTS).where(_c.file_id == file_id))

"""Answer what the index knows of the files, in milliseconds at any number of them.

Nothing here writes. `file_index.py` keeps what is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Row, func, or_, select

from ingest_assets.batches import batches
from ingest_assets.file_ids import composed, owner_of
from ingest_assets.index.database import ABOUT, Database
from ingest_assets.index.file_table import FILES_TABLE, c
from ingest_assets.index.search_counts import SEARCHES_TABLE
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import FileRecord, State

BUILT_FOR = "built for"
"""The name, among what is true of the database, of the ledger that the index was made from."""
_PAGE = 1000
_LEDGER_ROW = (c.file_id, c.ledger_version, c.ledger_state, c.generation)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What the index knows of a file's record."""

    file_id: str
    version: str
    state: str
    generation: int


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The ids of the files that the index knows."""

    in_ledger: set[str]
    all: set[str]
    """With those that the bucket shows and the ledger does not know yet."""


@dataclass(frozen=True, slots=True)
class HeldFiles:
    """What bucket and ledger hold in all."""

    files: int
    """In the ledger."""
    chunks: int
    """In force."""
    size_bytes: int
    """Of the files in the bucket."""


class FileAnswers:
    """What the index of one project's files answers."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self.database = database

    def on_their_way(self) -> list[str]:
        """Return the files that a process announced or works on, so that the ledger may say more than this index."""
        query = select(c.file_id).where(or_(c.writing_since.is_not(None), c.state == PassingState.PROCESSING.value))
        with self.database.begin(writes=False) as connection:
            return list(connection.execute(query.limit(_PAGE)).scalars())

    def built_for(self) -> str:
        """Return the name of the ledger that the index was last made from; empty if it was never made."""
        with self.database.begin(writes=False) as connection:
            return connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == BUILT_FOR)).scalar_one_or_none() or ""

    def sample(self, count: int, *, behind: str) -> list[LedgerRow]:
        """Return some rows that claim to be in the ledger, to be compared with it: those behind a sha256."""
        query = select(*_LEDGER_ROW).where(c.in_ledger, c.sha256 > behind, c.writing_since.is_(None))
        with self.database.begin(writes=False) as connection:
            return [LedgerRow(*row) for row in connection.execute(query.order_by(c.sha256).limit(count))]

    def row(self, file_id: str) -> LedgerRow | None:
        """Return what the index knows of one file's record; None while a process writes it, or if there is none."""
        query = select(*_LEDGER_ROW).where(c.file_id == file_id, c.in_ledger, c.writing_since.is_(None))
        with self.database.begin(writes=False) as connection:
            found = connection.execute(query).one_or_none()
        return LedgerRow(*found) if found is not None else None

    def stale(self, current_fingerprint: Callable[[FileRecord], str]) -> list[str]:
        """Return the files whose result was made by other code, settings or models, by who asks for them.

        What searches found most comes first, then what was attempted last. Failed files come after all others, so that
        those that fail each time do not take the place of others.

        A fingerprint follows from a file's media type and the end of its name, so few are computed.

        A file of an earlier release whose id is in decomposed letters is named by its composed id: a run refuses the
        other, and the run under the composed one makes a record of its own.
        """
        query = select(c.file_id, c.key, c.media_type, c.fingerprint, c.ledger_state).where(
            c.in_ledger,
            c.missing_since.is_(None),
            c.bucket_version.in_(["", c.ledger_version]),
            # What failed by no fault of its own is pending, not out of date.
            or_(c.ledger_state != State.FAILED.value, c.fingerprint != ""),
            c.ledger_state != State.CANCELLED.value,
        )
        query = query.outerjoin(SEARCHES_TABLE, SEARCHES_TABLE.c.file_id == c.file_id)
        order = (func.coalesce(SEARCHES_TABLE.c.hits, 0).desc(), c.updated_at.desc(), c.file_id)
        current: dict[tuple[str, str], str] = {}
        sound: list[str] = []
        failed: list[str] = []
        with self.database.begin(writes=False) as connection:
            for row in connection.execute(query.order_by(*order)).yield_per(_PAGE):
                kind = (row.media_type, PurePosixPath(row.key).suffix)
                if kind not in current:
                    current[kind] = current_fingerprint(_as_record(row))
                if row.fingerprint != current[kind]:
                    (failed if State(row.ledger_state).is_failure else sound).append(composed(row.file_id))
        return list(dict.fromkeys(sound + failed))

    def failed(self) -> list[str]:
        """Return the files whose last attempt failed, the latest first."""
        states = [state.value for state in State if state.is_failure]
        query = select(c.file_id).where(c.in_ledger, c.ledger_state.in_(states))
        with self.database.begin(writes=False) as connection:
            return list(connection.execute(query.order_by(c.updated_at.desc(), c.file_id)).scalars())

    def seconds_of(self, file_ids: Sequence[str]) -> dict[str, float]:
        """Return what the last run of each of these files took, in seconds."""
        found: dict[str, float] = {}
        with self.database.begin(writes=False) as connection:
            for names in batches(file_ids, _PAGE // 2):
                rows = connection.execute(select(c.file_id, c.seconds).where(c.file_id.in_(names)))
                found |= {row.file_id: row.seconds for row in rows}
        return found

    def problems(self, *, limit: int) -> list[str]:
        """Return files whose last attempt failed, or that were published without parts; the latest first."""
        states = [state.value for state in (State.FAILED, State.PARTIAL, State.OUT_OF_MEMORY, State.QUARANTINED)]
        query = (
            select(c.file_id).where(c.in_ledger, c.ledger_state.in_(states)).order_by(c.updated_at.desc(), c.file_id)
        )
        with self.database.begin(writes=False) as connection:
            return list(connection.execute(query.limit(limit)).scalars())

    def bucket_version(self, file_id: str) -> str:
        """Return the version that the bucket showed last; empty if it shows none."""
        query = select(c.bucket_version).where(c.file_id == file_id)
        with self.database.begin(writes=False) as connection:
            return connection.execute(query).scalar_one_or_none() or ""

    def on_the_way(self, file_id: str) -> str:
        """Return `pending`, or `processing` with the stage and its percent; empty for a file that is at rest."""
        states = [PassingState.PENDING.value, PassingState.PROCESSING.value]
        query = select(c.state, c.stage, c.percent).where(c.file_id == file_id, c.state.in_(states))
        with self.database.begin(writes=False) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return ""
        return f"{row.state}: {row.stage}, {row.percent} %" if row.stage else str(row.state)

    def file_ids(self) -> KnownFiles:
        """Return the ids of all files; 100,000 take about 20 MB."""
        with self.database.begin(writes=False) as connection:
            rows = connection.execute(select(c.file_id, c.in_ledger)).all()
        in_ledger = {file_id for file_id, is_in_ledger in rows if is_in_ledger}
        return KnownFiles(in_ledger, {file_id for file_id, _ in rows})

    def is_empty(self) -> bool:
        """Tell whether the ledger has no file."""
        with self.database.begin(writes=False) as connection:
            return connection.execute(select(c.file_id).where(c.in_ledger).limit(1)).first() is None

    def count_in_ledger(self) -> int:
        """Return how many files the ledger has."""
        with self.database.begin(writes=False) as connection:
            return connection.execute(select(func.count()).where(c.in_ledger)).scalar_one()

    def held(self) -> HeldFiles:
        """Return how much there is in all; it reads every row, a few tens of milliseconds for 100,000."""
        query = select(
            func.count().filter(c.in_ledger),
            func.coalesce(func.sum(c.chunks).filter(c.in_ledger), 0),
            func.coalesce(func.sum(c.size_bytes).filter(c.bucket_version != ""), 0),
        ).select_from(FILES_TABLE)
        with self.database.begin(writes=False) as connection:
            files, chunks, size_bytes = connection.execute(query).one()
        return HeldFiles(int(files), int(chunks), int(size_bytes))

    def ledger_versions(self, file_ids: Sequence[str]) -> dict[str, str]:
        """Return the version that the ledger has of each of these files that it knows."""
        found: dict[str, str] = {}
        with self.database.begin(writes=False) as connection:
            for names in batches(file_ids, _PAGE // 2):
                rows = connection.execute(select(c.file_id, c.ledger_version).where(c.in_ledger, c.file_id.in_(names)))
                found |= {row.file_id: row.ledger_version for row in rows}
        return found


def _as_record(row: Row[Any]) -> FileRecord:
    user_id, project_id, filename = owner_of(row.key)
    return FileRecord(
        file_id=row.file_id,
        user_id=user_id,
        project_id=project_id,
        filename=filename,
        key=row.key,
        state=State(row.ledger_state),
        media_type=row.media_type,
    )

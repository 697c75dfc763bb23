"""Count how often searches find each file, so that what people look for most is brought up to date first.

The service counts in its memory and adds the sums up from time to time: a search waits for no writer. The nightly sweep
halves all counts, because what was asked for a year ago says little about today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock

from sqlalchemy import Column, Float, Table, delete, update

from ingest_assets.file_ids import key_of, owner_of
from ingest_assets.index.database import BYTEWISE, METADATA, Database

_FORGOTTEN = 0.1
SEARCHES_TABLE = Table(
    "ingest_searches",
    METADATA,
    Column("file_id", BYTEWISE, primary_key=True),
    Column("user_id", BYTEWISE, nullable=False),
    Column("project_id", BYTEWISE, nullable=False),
    Column("hits", Float, nullable=False),
)
_c = SEARCHES_TABLE.c


class FoundFiles:
    """What searches of this process have found since it was last asked."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._hits: Counter[str] = Counter()

    def add(self, file_ids: Iterable[str]) -> None:
        """Count one search, which found chunks of these files."""
        with self._lock:
            self._hits.update(set(file_ids))

    def take(self) -> Counter[str]:
        """Return what was counted, and begin anew."""
        with self._lock:
            taken, self._hits = self._hits, Counter()
            return taken


class SearchCounts:
    """How often the files of one instance were found."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def add(self, hits: Mapping[str, float]) -> None:
        """Add how often each of these files was found.

        Raises:
            OutsideError: the database is away.
        """
        rows = []
        for file_id in sorted(hits):  # in one order, so that two writers never wait for each other
            user_id, project_id, _ = owner_of(key_of(file_id))
            rows.append({"file_id": file_id, "user_id": user_id, "project_id": project_id, "hits": hits[file_id]})
        if not rows:
            return
        added = self._database.upsert(SEARCHES_TABLE)
        together = {"hits": _c.hits + added.excluded.hits}
        with self._database.begin() as connection:
            connection.execute(added.on_conflict_do_update(index_elements=[_c.file_id], set_=together), rows)

    def fade(self) -> None:
        """Halve all counts, and forget those that are nearly nothing."""
        with self._database.begin() as connection:
            connection.execute(update(SEARCHES_TABLE).values(hits=_c.hits / 2))
            connection.execute(delete(SEARCHES_TABLE).where(_c.hits < _FORGOTTEN))

    def erase(self, *, user_id: str, project_id: str = "") -> None:
        """Forget the files of a user, or of one of its projects."""
        wanted = [_c.user_id == user_id, *([_c.project_id == project_id] if project_id else [])]
        with self._database.begin() as connection:
            connection.execute(delete(SEARCHES_TABLE).where(*wanted))

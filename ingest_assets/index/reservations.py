"""Set aside what a request is about to use, so that two requests at one moment cannot pass a limit together.

A row stands for each request between the moment when it is let through and the moment when what it brought is counted
by the index. A signed upload, which goes around the service, has a row that ends when a look at the bucket finds the
file, or lapses soon after its signature. Whoever decides holds a lock of the database: SQLite's one writer's place, or
an advisory lock of PostgreSQL. So the second of two requests sees the row of the first. A row of a process that was
killed lapses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import BigInteger, Column, Connection, Float, Table, Text, delete, func, select, text

from ingest_assets.access.quotas import Use
from ingest_assets.batches import batches
from ingest_assets.index.database import BYTEWISE, METADATA, Database
from ingest_assets.index.file_table import now_s
from ingest_assets.ledger_records import Scope

LAPSE_S = 3600.0
"""A row lapses after so long: files are kept within seconds, or within minutes where they are copied from elsewhere."""
_LOCK = 7264012
_AT_ONCE = 500
_COUNTED = ("files", "size_bytes", "chunks", "tokens")
"""In an upload `files` leaves out those that replace others, and `queued` does not."""
_TABLE = Table(
    "ingest_reservations",
    METADATA,
    Column("name", BYTEWISE, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("lapses_at", Float, nullable=False),  # seconds since 1970
    *(Column(name, BigInteger, nullable=False) for name in (*_COUNTED, "queued")),
)
_c = _TABLE.c


class Reservations:
    """What the requests of all services on one database have set aside."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = now_s) -> None:
        """Take the database, and a clock that gives seconds since 1970."""
        self._database, self._clock = database, clock

    @contextmanager
    def deciding(self) -> Iterator[Connection]:
        """Yield a transaction that no other one of this kind overlaps.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            self._drop_lapsed(connection)
            yield connection

    def of(self, connection: Connection, user_id: str = "", project_id: str = "") -> Use:
        """Return what is set aside for all users, for one, or for one project of a user.

        Read it before what the index counts: a request is in one of them at any time, and for a moment may be in both.
        """
        wanted = [column == name for column, name in ((_c.user_id, user_id), (_c.project_id, project_id)) if name]
        sums = (func.coalesce(func.sum(_c[name]), 0) for name in _COUNTED)
        files, size_bytes, chunks, tokens = connection.execute(select(*sums).where(*wanted)).one()
        return Use(files=int(files), size_bytes=int(size_bytes), chunks=int(chunks), tokens=int(tokens))

    def queued(self, connection: Connection, user_id: str = "") -> int:
        """Return how many files are set aside that will wait for their runs, of all users or of one."""
        wanted = [_c.user_id == user_id] if user_id else []
        return int(connection.execute(select(func.coalesce(func.sum(_c.queued), 0)).where(*wanted)).scalar_one())

    def add(
        self, connection: Connection, name: str, scope: Scope, use: Use, *, queued: int, lapse_s: float = LAPSE_S
    ) -> None:
        """Set something aside, until it is given back by its name or its seconds are over."""
        values = {each: getattr(use, each) for each in _COUNTED} | {"queued": queued}
        owner = {"user_id": scope.user_id, "project_id": scope.project_id}
        connection.execute(_TABLE.insert().values(name=name, lapses_at=self._clock() + lapse_s, **owner, **values))

    def take_signed(self, connection: Connection, file_id: str, use: Use) -> Use:
        """Take back what an earlier signature for the same file set aside; return the larger of both."""
        named = _c.name == _signed(file_id)
        before = connection.execute(select(_c.files, _c.size_bytes).where(named)).one_or_none()
        if before is None:
            return use
        connection.execute(delete(_TABLE).where(named))
        return Use(files=max(before.files, use.files), size_bytes=max(before.size_bytes, use.size_bytes))

    def add_signed(self, connection: Connection, file_id: str, scope: Scope, use: Use, *, lapse_s: float) -> None:
        """Set aside what a signed upload may bring; it is given back when the index counts the file."""
        self.add(connection, _signed(file_id), scope, use, queued=0, lapse_s=lapse_s)

    def sweep(self) -> None:
        """Drop what has lapsed, which names a user."""
        with self._database.begin() as connection:
            self._drop_lapsed(connection)

    def erase(self, *, user_id: str, project_id: str = "") -> None:
        """Forget a user, or one of its projects."""
        wanted = [_c.user_id == user_id, *([_c.project_id == project_id] if project_id else [])]
        with self._database.begin() as connection:
            connection.execute(delete(_TABLE).where(*wanted))

    def _drop_lapsed(self, connection: Connection) -> None:
        connection.execute(delete(_TABLE).where(_c.lapses_at < self._clock()))

    def give_back(self, name: str) -> None:
        """Give back what was set aside: it is counted now, or will not be used."""
        with self._database.begin() as connection:
            give_back(connection, name)


def give_back(connection: Connection, name: str) -> None:
    """Give back what was set aside under a name, if it was, in a transaction of what makes it count."""
    connection.execute(delete(_TABLE).where(_c.name == name))


def give_back_signed(connection: Connection, file_ids: Iterable[str]) -> None:
    """Give back what signed uploads of files set aside that the index counts from this transaction on."""
    for names in batches(map(_signed, file_ids), _AT_ONCE):
        connection.execute(delete(_TABLE).where(_c.name.in_(names)))


def _signed(file_id: str) -> str:
    return f"signed {file_id}"

"""Keep the keys that somebody said have changed until they were looked at.

Events, `ingest notify` and other programs put keys here. The sensor `upload_bucket`, `ingest listen` and `ingest work`
take them, look at each in the bucket, and report them done. A key stands here once, however often it is put. A key that
is put again while it is looked at stays, because the look may have come too early: each put gives a new stamp, and only
an entry with the stamp that was taken is done.

A message that cannot be read names no key. It is set aside with the reason, so that an operator finds it. Its text is
not kept, because it may hold anything.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Float, Integer, Table, Text, func, select

from ingest_assets.file_ids import nfc, require_possible_key
from ingest_assets.index.database import BYTEWISE, METADATA, Database

_BATCH = 1_000
"""Keys put in one transaction, so that other writers wait for milliseconds only."""
_NAME_LENGTH = 200
_DAY_S = 86_400

_inbox = Table(
    "ingest_inbox",
    METADATA,
    Column("key", BYTEWISE, primary_key=True),
    Column("stamp", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("since", Float, nullable=False, index=True),
)
_set_aside = Table(
    "ingest_inbox_set_aside",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    Column("last_at", Float, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One key to look at."""

    key: str
    why: str
    """What put it here last: `event`, `notify`, `request`."""
    since: float
    """When it was put first since it was last done, or was postponed, in seconds since 1970."""
    stamp: int
    """A random number that each put makes anew."""


@dataclass(frozen=True, slots=True)
class SetAsideMessage:
    """A message that could not be read."""

    source: str
    """Where it came from, such as the name of a queue."""
    reason: str
    name: str
    """What the source calls it; 200 characters at most."""
    digest: str
    """SHA-256 of its text, in hex."""
    size_bytes: int
    times: int
    """How often a message of this text arrived."""
    last_at: float
    """When it arrived last, in seconds since 1970."""


class Inbox:
    """The keys to look at, in the database beside the instance."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """Take the database, and the clock if it is another than this machine's."""
        self._database = database
        self._clock = clock

    def put(self, keys: Iterable[str], *, why: str) -> int:
        """Put keys of the bucket to be looked at, durably; return how many different ones they were.

        Keys of objects that were removed belong here too: the look finds that they are gone.

        Raises:
            BadInput: no object can have one of the keys; none is put then.
            OutsideError: the database is away.
        """
        chosen = sorted({nfc(key) for key in keys})  # sorted: two writers that lock rows in other orders would deadlock
        for key in chosen:
            require_possible_key(key)
        for first in range(0, len(chosen), _BATCH):
            self._put(chosen[first : first + _BATCH], why)
        return len(chosen)

    def _put(self, keys: list[str], why: str) -> None:
        now = self._clock()
        rows = [{"key": key, "stamp": secrets.randbits(62), "why": why, "since": now} for key in keys]
        insert = self._database.upsert(_inbox)
        added = insert.on_conflict_do_update(
            index_elements=["key"], set_={"stamp": insert.excluded.stamp, "why": insert.excluded.why}
        )
        with self._database.begin() as connection:
            connection.execute(added, rows)

    def take(self, limit: int) -> list[InboxEntry]:
        """Return the entries that wait longest, without removing them.

        Raises:
            OutsideError: the database is away.
        """
        oldest = select(_inbox).order_by(_inbox.c.since, _inbox.c.key).limit(limit)
        with self._database.begin(writes=False) as connection:
            rows = connection.execute(oldest).all()
        return [InboxEntry(key=row.key, why=row.why, since=row.since, stamp=row.stamp) for row in rows]

    def done(self, entries: Iterable[InboxEntry]) -> None:
        """Remove entries, except those whose key was put again since they were taken.

        Raises:
            OutsideError: the database is away.
        """
        ordered = sorted(entries, key=lambda entry: entry.key)
        if not ordered:
            return
        with self._database.begin() as connection:
            for entry in ordered:
                connection.execute(_inbox.delete().where(_inbox.c.key == entry.key, _inbox.c.stamp == entry.stamp))

    def postpone(self, entries: Iterable[InboxEntry]) -> None:
        """Put entries behind all others, because their place in the bucket cannot be read at the moment.

        Otherwise many keys of such a place would always be the oldest, and no other key would be taken.

        Raises:
            OutsideError: the database is away.
        """
        ordered = sorted(entries, key=lambda entry: entry.key)
        now = self._clock()
        with self._database.begin() as connection:
            for entry in ordered:
                same = (_inbox.c.key == entry.key) & (_inbox.c.stamp == entry.stamp)
                connection.execute(_inbox.update().where(same).values(since=now))

    def depth(self) -> int:
        """Count the keys that wait.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin(writes=False) as connection:
            return connection.execute(select(func.count()).select_from(_inbox)).scalar_one()

    def oldest(self) -> float | None:
        """Return since when the oldest key has waited, in seconds since 1970; None if none waits.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin(writes=False) as connection:
            found: float | None = connection.execute(select(func.min(_inbox.c.since))).scalar_one()
        return found

    def set_aside(self, body: str, *, source: str, name: str, reason: str) -> None:
        """Note a message that cannot be read; one that comes again is counted, not noted twice.

        Raises:
            OutsideError: the database is away.
        """
        content = body.encode("utf-8", "surrogatepass")
        insert = self._database.upsert(_set_aside).values(
            source=source,
            digest=hashlib.sha256(content).hexdigest(),
            reason=reason,
            name=name[:_NAME_LENGTH],
            size_bytes=len(content),
            times=1,
            last_at=self._clock(),
        )
        counted = insert.on_conflict_do_update(
            index_elements=["source", "digest"],
            set_={
                "times": _set_aside.c.times + 1,
                "last_at": insert.excluded.last_at,
                "name": insert.excluded.name,
                "reason": insert.excluded.reason,
            },
        )
        with self._database.begin() as connection:
            connection.execute(counted)

    def set_aside_messages(self, *, limit: int = 100) -> list[SetAsideMessage]:
        """Return messages that could not be read, the latest first.

        Raises:
            OutsideError: the database is away.
        """
        latest = select(_set_aside).order_by(_set_aside.c.last_at.desc(), _set_aside.c.digest).limit(limit)
        with self._database.begin(writes=False) as connection:
            rows = connection.execute(latest).all()
        return [SetAsideMessage(**row._mapping) for row in rows]

    def count_set_aside(self) -> int:
        """Count the different messages that could not be read.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin(writes=False) as connection:
            return connection.execute(select(func.count()).select_from(_set_aside)).scalar_one()

    def erase(self, prefix: str) -> None:
        """Forget the keys that begin with a prefix.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin() as connection:
            connection.execute(_inbox.delete().where(_inbox.c.key.startswith(prefix, autoescape=True)))

    def sweep(self, *, days: float) -> int:
        """Forget the messages set aside that did not come again for so many days; return how many they were.

        Raises:
            OutsideError: the database is away.
        """
        before = self._clock() - days * _DAY_S
        with self._database.begin() as connection:
            return connection.execute(_set_aside.delete().where(_set_aside.c.last_at < before)).rowcount

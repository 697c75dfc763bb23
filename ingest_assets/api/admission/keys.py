"""Keep the keys of the service in the database beside the instance: make, find, list and revoke them.

The secret of a key is shown once, when the key is made, and is kept nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Column, Float, Row, Table, Text, select

from ingest_assets.access.callers import Caller, KeyRole, KeyScope
from ingest_assets.access.key_entries import KeyEntry, new_key, split_key
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.index.database import BYTEWISE, METADATA, Database

_keys = Table(
    "ingest_keys",
    METADATA,
    Column("key_id", BYTEWISE, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # one a line
    Column("note", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),  # 0: never
    Column("revoked_at", Float, nullable=False),  # 0: in force
)


class Keys:
    """The keys that are kept in the database and in the settings."""

    def __init__(
        self, database: Database, *, fixed: tuple[KeyEntry, ...] = (), clock: Callable[[], float] = time.time
    ) -> None:
        """Take the database, the keys of the settings, and a clock that gives seconds since 1970."""
        self._database = database
        self._fixed = {entry.key_id: entry for entry in fixed}
        self._clock = clock

    def add(self, *, role: KeyRole, scopes: tuple[KeyScope, ...], note: str = "", days: float = 0.0) -> str:
        """Make a key that expires after `days` days, or never; return it, which is the only time that it is seen.

        Raises:
            BadInput: it has no scope.
            OutsideError: the database is away.
        """
        if not scopes:
            raise BadInput("a key needs a scope; write USER, USER/PROJECT or *")
        key, key_id, sha256 = new_key()
        now = self._clock()
        values = {
            "key_id": key_id,
            "sha256": sha256,
            "role": str(role),
            "scopes": "\n".join(map(str, scopes)),
            "note": note,
            "made_at": now,
            "expires_at": now + days * 86_400 if days else 0.0,
            "revoked_at": 0.0,
        }
        with self._database.begin() as connection:
            connection.execute(_keys.insert().values(**values))
        return key

    def entries(self) -> list[KeyEntry]:
        """List all keys, the settings' first, then by the time when they were made; revoked ones are among them.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin(writes=False) as connection:
            rows = connection.execute(select(_keys).order_by(_keys.c.made_at, _keys.c.key_id)).all()
        return [*self._fixed.values(), *map(_entry, rows)]

    def revoke(self, key_id: str) -> bool:
        """Take a key out of force from now on; return False if it was not in force.

        Raises:
            ConfigError: it stands in the settings, where the operator takes it out.
            OutsideError: the database is away.
        """
        if key_id in self._fixed:
            raise ConfigError(f"{key_id} stands in INGEST_API_KEYS; take it out there and start the service again")
        now = self._clock()
        wanted = (_keys.c.key_id == key_id, _keys.c.revoked_at == 0)
        with self._database.begin() as connection:
            return bool(connection.execute(_keys.update().where(*wanted).values(revoked_at=now)).rowcount)

    def is_empty(self) -> bool:
        """Tell whether no key was ever made: then the service answers this machine without one.

        A key that was revoked or has expired counts, so that taking out the last key opens nothing.

        Raises:
            OutsideError: the database is away.
        """
        if self._fixed:
            return False
        with self._database.begin(writes=False) as connection:
            return connection.execute(select(_keys.c.key_id).limit(1)).first() is None

    def caller(self, key: str) -> Caller | None:
        """Return who calls with a key; None if it is unknown, expired or revoked.

        Raises:
            OutsideError: the database is away.
        """
        key_id, secret = split_key(key)
        if not key_id:
            return None
        entry = self._fixed.get(key_id) or self._found(key_id)
        if entry is None or not entry.fits(secret) or not entry.is_in_force(self._clock()):
            return None
        return Caller(entry.role, entry.scopes, key_id)

    def caller_of(self, key_id: str) -> Caller | None:
        """Return the caller of a key that was proven before; None if it is not in force any more.

        Raises:
            OutsideError: the database is away.
        """
        entry = self._fixed.get(key_id) or self._found(key_id)
        if entry is None or not entry.is_in_force(self._clock()):
            return None
        return Caller(entry.role, entry.scopes, key_id)

    def _found(self, key_id: str) -> KeyEntry | None:
        with self._database.begin(writes=False) as connection:
            row = connection.execute(select(_keys).where(_keys.c.key_id == key_id)).first()
        return _entry(row) if row is not None else None


def _entry(row: Row[tuple[object, ...]]) -> KeyEntry:
    return KeyEntry(
        key_id=row.key_id,
        role=KeyRole.named(row.role),
        scopes=tuple(KeyScope.read(scope) for scope in row.scopes.split("\n")),
        sha256=row.sha256,
        note=row.note,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )

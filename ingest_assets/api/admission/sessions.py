"""Keep the sessions of people who have signed in with a key on the page: make, find and end them.

The page must not keep the key where a script could read it, so the browser gets a random cookie that no script sees. Of
the cookie a hash is kept here, beside the keys. A session can do what its key can at the moment of each request: when
the key is revoked or expires, its sessions end.

A browser sends cookies along with requests that other pages ask for. So every request that changes something also
brings a token, which only our own page can learn. It follows from the cookie and is kept nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from sqlalchemy import Column, Float, Table, Text, delete, select

from ingest_assets.access.callers import Caller
from ingest_assets.api.admission.keys import Keys
from ingest_assets.index.database import METADATA, Database

SESSION_S = 12 * 3600
"""A session lasts for a working day."""
_sessions = Table(
    "ingest_sessions",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("key_id", Text, nullable=False, index=True),
    Column("expires_at", Float, nullable=False),
)


def csrf_token_of(cookie: str) -> str:
    """Return the token that requests with this cookie bring when they change something."""
    return hmac.new(cookie.encode(), b"csrf", hashlib.sha256).hexdigest()


class Sessions:
    """The sessions of one service; services that share a database share them."""

    def __init__(self, database: Database, *, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        """Take the database, the keys, and a clock that gives seconds since 1970."""
        self._database, self._keys, self._clock = database, keys, clock

    def begin(self, caller: Caller) -> str:
        """Begin a session of the key that a caller has; return its cookie, which is kept nowhere else.

        Raises:
            OutsideError: the database is away.
        """
        cookie, now = secrets.token_urlsafe(32), self._clock()
        with self._database.begin() as connection:
            connection.execute(delete(_sessions).where(_sessions.c.expires_at < now))
            connection.execute(
                _sessions.insert().values(sha256=_hash(cookie), key_id=caller.key_id, expires_at=now + SESSION_S)
            )
        return cookie

    def caller(self, cookie: str) -> Caller | None:
        """Return who calls with a cookie; None if the session has ended or its key is no longer in force.

        Raises:
            OutsideError: the database is away.
        """
        wanted = (_sessions.c.sha256 == _hash(cookie), _sessions.c.expires_at > self._clock())
        with self._database.begin(writes=False) as connection:
            key_id = connection.execute(select(_sessions.c.key_id).where(*wanted)).scalar_one_or_none()
        return None if key_id is None else self._keys.caller_of(key_id)

    def end(self, cookie: str) -> None:
        """End a session; one that has ended is no error.

        Raises:
            OutsideError: the database is away.
        """
        with self._database.begin() as connection:
            connection.execute(delete(_sessions).where(_sessions.c.sha256 == _hash(cookie)))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()

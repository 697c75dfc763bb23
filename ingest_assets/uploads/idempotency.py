"""Answer a request that is sent again under the same key as it was answered the first time, and do nothing twice.

A client that lost the answer cannot know whether the request was carried out. It sends the same request again with the
same `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). The key is the caller's own: another caller may use
the same text. A digest of what was asked is kept with it, so that the key of one request never answers another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, Float, Integer, Table, Text, delete, select

from ingest_assets.errors import BadInput
from ingest_assets.index.database import BYTEWISE, METADATA, Database

KEPT_S = 86_400.0
"""How long an answer is given again."""
_CARRIED_OUT_S = 600.0
"""A request whose answer is not there after so long died with its service, and is carried out again."""
_MAX_KEY = 255

REQUESTS = Table(
    "ingest_requests",
    METADATA,
    Column("caller", Text, primary_key=True),
    Column("name", BYTEWISE, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("status", Integer, nullable=False),  # 0: it is being carried out
    Column("body", Text, nullable=False),
    Column("at_s", Float, nullable=False, index=True),
)
_c = REQUESTS.c


class OtherRequest(BadInput):
    """The key was used for another request."""


class StillRunning(BadInput):
    """The first request under the key has not been answered yet."""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """How the first request under a key was answered."""

    status: int
    body: str


class AlreadyAnswered(Exception):
    """The request was carried out before."""

    def __init__(self, answer: FirstAnswer) -> None:
        """Take how it was answered."""
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The key of one request of one caller."""

    caller: str
    """Id of the caller's key for the service; empty for callers without one."""
    name: str
    """What the client sent, with the route in front."""
    digest: str
    """Hash of what was asked."""


def request_key(header: str, *, caller: str, route: str, digest: str) -> RequestKey:
    """Read the header.

    Raises:
        BadInput: it is empty, too long or holds what is no printable ASCII.
    """
    name = header.strip().strip('"')
    if not name or len(name) > _MAX_KEY or not (name.isascii() and name.isprintable()):
        raise BadInput(f"Idempotency-Key: send 1 to {_MAX_KEY} printable ASCII characters, such as a UUID")
    return RequestKey(caller, f"{route} {name}", digest)


class RepeatedRequests:
    """The answered requests of one database."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """Take the database, and the clock if it is another than this machine's."""
        self._database = database
        self._clock = clock

    def begin(self, key: RequestKey) -> FirstAnswer | None:
        """Note that a request is carried out now; return the answer if it was carried out before.

        Raises:
            OtherRequest: the key was used for another request.
            StillRunning: it is being carried out.
        """
        with self._database.begin() as connection:
            found = self.known(connection, key)
            if found is None:
                self._write(connection, key, FirstAnswer(0, ""))
        return found

    def known(self, connection: Connection, key: RequestKey) -> FirstAnswer | None:
        """Return the answer to an earlier request under this key; None if there was none, or it died unanswered.

        Raises:
            OtherRequest: the key was used for another request.
            StillRunning: it is being carried out.
        """
        now = self._clock()
        row = connection.execute(select(REQUESTS).where(*_named(key)).with_for_update()).one_or_none()
        if row is None or now - row.at_s > (KEPT_S if row.status else _CARRIED_OUT_S):
            return None
        if row.digest != key.digest:
            raise OtherRequest("Idempotency-Key: it was used for another request; use a new one for each request")
        if not row.status:
            raise StillRunning("Idempotency-Key: the first request under it is being carried out; ask again later")
        return FirstAnswer(row.status, row.body)

    def require_first(self, key: RequestKey) -> None:
        """Make sure that a request was not carried out before; `answer_first` decides.

        Raises:
            AlreadyAnswered: it was.
            OtherRequest: the key was used for another request.
            StillRunning: it is being carried out.
        """
        with self._database.begin(writes=False) as connection:
            if (found := self.known(connection, key)) is not None:
                raise AlreadyAnswered(found)

    def answer_first(self, connection: Connection, key: RequestKey, answer: FirstAnswer) -> None:
        """Keep the answer, in the transaction of what the request does, which is undone if another was faster.

        Raises:
            AlreadyAnswered: the request was carried out before.
            OtherRequest: the key was used for another request.
        """
        if (found := self.known(connection, key)) is not None:
            raise AlreadyAnswered(found)
        self._write(connection, key, answer)

    def keep(self, key: RequestKey, answer: FirstAnswer) -> None:
        """Keep the answer to a request that was begun."""
        with self._database.begin() as connection:
            self._write(connection, key, answer)

    def forget(self, key: RequestKey) -> None:
        """Let a request that failed be carried out again."""
        with self._database.begin() as connection:
            connection.execute(delete(REQUESTS).where(*_named(key), _c.status == 0))

    def sweep(self) -> None:
        """Remove the answers that are not given again."""
        with self._database.begin() as connection:
            connection.execute(delete(REQUESTS).where(_c.at_s < self._clock() - KEPT_S))

    def _write(self, connection: Connection, key: RequestKey, answer: FirstAnswer) -> None:
        values = {"digest": key.digest, "status": answer.status, "body": answer.body, "at_s": self._clock()}
        added = self._database.upsert(REQUESTS).values(caller=key.caller, name=key.name, **values)
        connection.execute(added.on_conflict_do_update(index_elements=[_c.caller, _c.name], set_=values))


def _named(key: RequestKey) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _c.caller == key.caller, _c.name == key.name

"""Refuse uploads and chunks where a user or project holds, uses or has waiting as much as it may.

It is asked twice: before the body of a request is read, with nothing to add, and when it is known what the body holds.
The second time what it needs is set aside until it is counted, so that no number of requests passes a limit together.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from ingest_assets.access.quotas import Quota, Use, excess, read_quota
from ingest_assets.api.problems import too_many
from ingest_assets.errors import OutsideError
from ingest_assets.index.reservations import Reservations
from ingest_assets.ledger_records import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ingest_assets.config.settings import Settings
    from ingest_assets.project import Project

_HELD_PAUSE_S = 3600.0
"""When to ask again where only a removal helps."""
_QUEUE_PAUSE_S = 30.0
_log = logging.getLogger(__name__)


class Quotas:
    """The limits of one service on what is held, what is used and what waits."""

    def __init__(self, settings: Settings, project: Callable[[], Project]) -> None:
        """Take the settings, and how the project is opened, which is done when there is a limit."""
        self._settings, self._project = settings, project

    @cached_property
    def _limits(self) -> tuple[tuple[str, Quota], ...]:
        user, project = self._settings.quota_of_user, self._settings.quota_of_project
        limits = (
            ("user", read_quota(user, name="INGEST_QUOTA_OF_USER")),
            ("project", read_quota(project, name="INGEST_QUOTA_OF_PROJECT")),
        )
        return tuple((whose, quota) for whose, quota in limits if not quota.is_unlimited)

    @property
    def _reservations(self) -> Reservations:
        return self._project().reservations

    def require(self, scope: Scope) -> None:
        """Refuse a user or a project that has nothing left, early: what a request brings is not known yet.

        Raises:
            ApiProblem: 429 `quota_used`.
            OutsideError: the index database is away.
        """
        if self._limits:
            with self._reservations.deciding() as connection:
                self._require_quota(connection, scope, adding=Use())

    def require_room(self, user_id: str) -> None:
        """Refuse a request, early, where too many files wait: in all, and of the user if it is known already.

        Raises:
            ApiProblem: 429 `queue_full`.
            OutsideError: the index database is away.
        """
        if self._settings.max_queued or self._settings.max_queued_of_user:
            with self._reservations.deciding() as connection:
                self._require_queue(connection, user_id)

    @contextmanager
    def reserved(self, scope: Scope, adding: Use, *, queued: int = 0, by_job: bool = False) -> Iterator[str]:
        """Set aside what a request needs while the block keeps it; `queued` of its files will wait for their runs.

        With `by_job` what is yielded is the id of the job to begin, and what was set aside is given back when that job
        is kept (`Keeping.finish`), which may be after the block.

        Raises:
            ApiProblem: 429 `quota_used` or `queue_full`; nothing is set aside then.
            OutsideError: the index database is away, or the block raised it.
        """
        name = secrets.token_hex(16)
        if not self._limits and not (queued and (self._settings.max_queued or self._settings.max_queued_of_user)):
            yield name
            return
        with self._reservations.deciding() as connection:
            if queued:
                self._require_queue(connection, scope.user_id)
            self._require_quota(connection, scope, adding=adding)
            self._reservations.add(connection, name, scope, adding, queued=queued)
        try:
            yield name
        except BaseException:
            self._give_back(name)
            raise
        if not by_job:
            self._give_back(name)

    def hold_signed(self, scope: Scope, adding: Use, *, file_id: str, within_s: float) -> None:
        """Set aside what a signed upload may bring, until a look finds the file or the seconds are over.

        The queue is not held: a signature costs its client nothing, and those of one client would close it for all.

        Raises:
            ApiProblem: 429 `quota_used`; nothing is set aside then.
            OutsideError: the index database is away.
        """
        if not self._limits:
            return
        with self._reservations.deciding() as connection:
            adding = self._reservations.take_signed(connection, file_id, adding)
            self._require_quota(connection, scope, adding=adding)
            self._reservations.add_signed(connection, file_id, scope, adding, lapse_s=within_s)

    def add_chunks(self, scope: Scope, *, chunks: int, tokens: int) -> None:
        """Count chunks that a client handed in, and the tokens of their texts."""
        if chunks:
            self._project().usage.add(scope, chunks=chunks, tokens=tokens)

    def _give_back(self, name: str) -> None:
        try:
            self._reservations.give_back(name)
        except OutsideError as error:
            _log.warning("quotas: what a request set aside lapses in an hour: %s", error)

    def _require_quota(self, connection: Connection, scope: Scope, *, adding: Use) -> None:
        for whose, quota in self._limits:
            of = (scope.user_id, scope.project_id if whose == "project" else "")
            set_aside = self._reservations.of(connection, *of)
            usage = self._project().usage
            found = excess(quota, usage.of(*of, within=connection) + set_aside, adding=adding)
            if found is None:
                continue
            todo = "wait for the next day (UTC)" if found.ends_with_day else "remove files"
            raise too_many(
                "quota_used",
                f"the {whose} may have {found.what}, which this would pass; {todo}, or ask the operator for more",
                retry_after_s=usage.seconds_left() if found.ends_with_day else _HELD_PAUSE_S,
            )

    def _require_queue(self, connection: Connection, user_id: str) -> None:
        settings, pending = self._settings, self._project().pending
        for what, whose, limit in (
            ("the queue", "", settings.max_queued),
            ("the user's queue", user_id, settings.max_queued_of_user if user_id else 0),
        ):
            if not limit:
                continue
            waiting = self._reservations.queued(connection, whose) + pending.waiting(user_id=whose, within=connection)
            if waiting >= limit:
                detail = f"{what} holds {waiting:,} files, and {limit:,} may wait; send more when some are done"
                raise too_many("queue_full", detail, retry_after_s=_QUEUE_PAUSE_S)

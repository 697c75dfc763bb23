"""Refuse uploads and chunks where a user or project holds or uses as much as it may.

It is asked twice: before the body of a request is read, with nothing to add, and when it is known what the body holds.
Two requests at one moment may both be let through, so that a limit can be passed by what they bring.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ingest_assets.access.quotas import Quota, Use, excess, read_quota
from ingest_assets.api.problems import too_many
from ingest_assets.ledger_records import Scope

if TYPE_CHECKING:
    from ingest_assets.config.settings import Settings
    from ingest_assets.project import Project

_HELD_PAUSE_S = 3600.0
"""When to ask again where only a removal helps."""


class Quotas:
    """The limits of one service on what is held and what is used."""

    def __init__(self, settings: Settings, project: Callable[[], Project]) -> None:
        """Take the settings, and how the project is opened, which is done when there is a limit."""
        self._settings, self._project = settings, project

    @cached_property
    def _limits(self) -> tuple[tuple[str, Quota], ...]:
        user, project = self._settings.quota_of_user, self._settings.quota_of_project
        return (
            ("user", read_quota(user, name="INGEST_QUOTA_OF_USER")),
            ("project", read_quota(project, name="INGEST_QUOTA_OF_PROJECT")),
        )

    def require(self, scope: Scope, *, files: int = 0, size_bytes: int = 0, chunks: int = 0, tokens: int = 0) -> None:
        """Refuse what would be more than the user or the project may hold, or may use on this day.

        Raises:
            ApiProblem: 429 `quota_used`.
            OutsideError: the index database is away.
        """
        adding = Use(files=files, size_bytes=size_bytes, chunks=chunks, tokens=tokens)
        for whose, quota in self._limits:
            if quota.is_unlimited:
                continue
            usage = self._project().usage
            used = usage.of(scope.user_id, scope.project_id if whose == "project" else "")
            found = excess(quota, used, adding=adding)
            if found is None:
                continue
            todo = "wait for the next day (UTC)" if found.ends_with_day else "remove files"
            raise too_many(
                "quota_used",
                f"the {whose} may have {found.what}, which this would pass; {todo}, or ask the operator for more",
                retry_after_s=usage.seconds_left() if found.ends_with_day else _HELD_PAUSE_S,
            )

    def add_chunks(self, scope: Scope, *, chunks: int, tokens: int) -> None:
        """Count chunks that a client handed in, and the tokens of their texts."""
        if chunks:
            self._project().usage.add(scope, chunks=chunks, tokens=tokens)

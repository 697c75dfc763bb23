"""Refuse what would make the queue longer than the operator wants, of one user or of all."""

from __future__ import annotations

from ingest_assets.api.problems import too_many
from ingest_assets.api.service import Service

_ASK_AGAIN_S = 30.0


def require_room(service: Service, *, user_id: str) -> None:
    """Make sure that not too many files wait, in all and of the user if it is known already.

    Raises:
        ApiProblem: too many do.
    """
    settings, pending = service.settings, service.project.pending
    _require("the queue", pending.waiting() if settings.max_queued else 0, limit=settings.max_queued)
    if user_id and settings.max_queued_of_user:
        _require("the user's queue", pending.waiting(user_id=user_id), limit=settings.max_queued_of_user)


def _require(what: str, waiting: int, *, limit: int) -> None:
    if limit and waiting >= limit:
        detail = f"{what} holds {waiting:,} files, and {limit:,} may wait; send more when some are done"
        raise too_many("queue_full", detail, retry_after_s=_ASK_AGAIN_S)

"""A run's tags in, the attempt that it is out; and back."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_assets.errors import ConfigError
from ingest_assets.stages.attempts import Attempt, unread_from
from memory_capped_launcher.limits import MEMORY_TAG, TIMEOUT_TAG
from memory_capped_launcher.outcomes import CAP_TAG

WINDOW_TAG = "ingest/window"
UNREAD_TAG = "ingest/unread"
"""Parts and pictures that do not fit in memory even alone."""
_KEPT_TAGS = (MEMORY_TAG, TIMEOUT_TAG)


def attempt_from(tags: Mapping[str, str], *, window: int) -> Attempt:
    """Read a run's tags; `window` holds where none is set.

    Raises:
        ConfigError: a tag is malformed.
    """
    try:
        return Attempt(
            window=max(1, int(tags.get(WINDOW_TAG) or window)),
            cap_mb=int(tags.get(CAP_TAG) or 0),
            unread=unread_from(tags.get(UNREAD_TAG, "")),
        )
    except ValueError as error:
        raise ConfigError(f"the run's tags {WINDOW_TAG} and {UNREAD_TAG} cannot be read: {error}") from error


def tags_of(attempt: Attempt, *, before: Mapping[str, str]) -> dict[str, str]:
    """Write an attempt down for the run that makes it, with the limits that the run before was given."""
    unread = {UNREAD_TAG: attempt.unread_text()} if attempt.unread else {}
    kept = {name: before[name] for name in _KEPT_TAGS if name in before}
    return {WINDOW_TAG: str(attempt.window), **unread, **kept}

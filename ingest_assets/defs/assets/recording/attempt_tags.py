"""Read from a run's tags how much of a file it holds in memory at once, and write tags for the next attempt."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from ingest_assets.defs.queue.turns import PRIORITY_TAG
from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Scope
from ingest_assets.project import Project
from ingest_assets.records import SourceFile
from ingest_assets.stages.planning.attempts import Attempt, unread_from
from ingest_assets.uploads.jobs import Jobs
from memory_capped_launcher.limits import MEMORY_TAG, TIMEOUT_TAG
from memory_capped_launcher.outcomes import CAP_TAG

WINDOW_TAG = "ingest/window"
UNREAD_TAG = "ingest/unread"
"""Parts and pictures that do not fit in memory even alone."""
REQUEST_TAG = "ingest/request"
"""`X-Request-ID` of the request that brought the version, which the service's log names too."""
_KEPT_TAGS = (MEMORY_TAG, TIMEOUT_TAG, PRIORITY_TAG, REQUEST_TAG)


def attempt_of(context: dg.AssetExecutionContext, project: Project, source: SourceFile) -> Attempt:
    """Read the attempt from the run's tags; if none gives the window, choose it by earlier files and tag the run.

    The first asset of a run chooses, so that all its assets hold the same number of parts. `context.run` shows the
    tags that the run was started with, so the run is read again.

    Raises:
        ConfigError: a tag is malformed.
    """
    run = context.instance.get_run_by_id(context.run.run_id) or context.run
    if WINDOW_TAG in run.tags:
        return attempt_from(run.tags, window=project.settings.window_parts)
    window = project.first_window(source, cap_mb=int(run.tags.get(CAP_TAG) or 0))
    asked_by = _request_of(project, source)
    if asked_by:
        context.log.info(f"request {asked_by} brought this version")
    context.instance.add_run_tags(
        run.run_id, {WINDOW_TAG: str(window), **({REQUEST_TAG: asked_by} if asked_by else {})}
    )
    return attempt_from(run.tags, window=window)


def _request_of(project: Project, source: SourceFile) -> str:
    scope = Scope(source.user_id, source.project_id)
    return Jobs(project.database).request_of(scope, source.file_id, version=source.version)


def attempt_from(tags: Mapping[str, str], *, window: int) -> Attempt:
    """Read an attempt from tags; `window` is used if no tag gives it.

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
    """Return the tags of the run that makes this attempt; it keeps the limits and the turn of the run before."""
    unread = {UNREAD_TAG: attempt.unread_text()} if attempt.unread else {}
    kept = {name: before[name] for name in _KEPT_TAGS if name in before}
    return {WINDOW_TAG: str(attempt.window), **unread, **kept}

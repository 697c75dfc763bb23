"""Deliver messages about files from commands that process files, so that hosts without a daemon tell others too."""

from __future__ import annotations

import typer

from ingest_assets.config.settings import Settings
from ingest_assets.errors import OutsideError


def deliver_messages(settings: Settings, *, within_s: float) -> None:
    """Send what is due in the outbox; what cannot be sent now stays there and is told on standard error."""
    if not settings.progress_secrets:
        return
    from ingest_assets.messaging.delivery import deliver_due
    from ingest_assets.project import Project

    outbox = Project(settings, prepares=False).outbox
    try:
        done = deliver_due(outbox, settings, within_s=within_s)
    except OutsideError as error:
        typer.echo(f"messages about files wait: {error}", err=True)
        return
    if done.failed or done.refused:
        typer.echo(f"{done}; `ingest outbox` lists what waits", err=True)

"""Open the queue of the bucket's events that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.config.settings import Settings

if TYPE_CHECKING:
    from ingest_assets.messaging.inbox import Inbox
    from ingest_assets.messaging.sqs import EventQueue


def open_event_queue(settings: Settings, *, inbox: Inbox) -> EventQueue | None:
    """Return the queue of INGEST_EVENTS_QUEUE; None if it is not set. Nothing is connected yet."""
    if not settings.events_queue:
        return None
    from ingest_assets.messaging.sqs import EventQueue

    bucket, _, prefix = settings.bucket.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    return EventQueue(settings.events_queue, inbox=inbox, bucket=bucket, prefix=f"{prefix}/" if prefix else "")

"""Deliver what is due in the outbox, within a bounded time.

Any number of processes may do so at once: the sensor `progress`, `ingest listen`, `ingest add` and `ingest work` at
their end. Claims keep them apart.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_tables import OutboxEntry
from ingest_assets.messaging.webhooks import CHANNEL, guard_of, send
from ingest_assets.network.guarded_post import ATTEMPT_S, GuardedPost

_AT_ONCE = 20
"""Messages claimed in one transaction. What is left of them when the time is over is given back."""


@dataclass(slots=True)
class Delivered:
    """What one pass did."""

    sent: int = 0
    failed: int = 0
    """They are tried again later."""
    refused: int = 0
    """They are dead letters now."""
    last_reason: str = ""
    """What the last attempt that did not go well came to."""

    def __str__(self) -> str:
        """Say it in one line."""
        counts = f"{self.sent} messages sent, {self.failed} failed, {self.refused} refused"
        return f"{counts}; {self.last_reason}" if self.last_reason else counts


def deliver_due(outbox: Outbox, settings: Settings, *, within_s: float) -> Delivered:
    """Send what is due until nothing is, or the time is over; one attempt may pass it by ten seconds.

    Raises:
        OutsideError: the database is away.
    """
    done, until = Delivered(), time.monotonic() + within_s
    claim = secrets.token_hex(8)
    with GuardedPost(guard_of(settings)) as post:
        try:
            while time.monotonic() < until and (entries := outbox.claim(CHANNEL, limit=_AT_ONCE, claim=claim)):
                _deliver(entries, outbox=outbox, settings=settings, post=post, until=until, done=done)
        finally:
            outbox.release(claim)
    return done


def _deliver(
    entries: list[OutboxEntry],
    *,
    outbox: Outbox,
    settings: Settings,
    post: GuardedPost,
    until: float,
    done: Delivered,
) -> None:
    """Send what was claimed; a target that fails is not tried again, and its messages stay as they are."""
    resting: set[str] = set()
    for entry in entries:
        if time.monotonic() >= until or outbox.now_s() + ATTEMPT_S >= entry.claimed_until_s:
            return
        if entry.target in resting:
            continue
        try:
            outcome = send(entry, settings=settings, post=post)
        except (BadInput, OutsideError) as error:
            outbox.failed(entry, str(error))
            reason = str(error)
        else:
            if outcome.is_sent:
                outbox.sent(entry)
                done.sent += 1
                continue
            if outcome.is_refused:
                outbox.refused(entry, outcome.reason)
                done.refused, done.last_reason = done.refused + 1, outcome.reason
                continue
            outbox.failed(entry, outcome.reason, retry_after_s=outcome.retry_after_s)
            reason = outcome.reason
        resting.add(entry.target)
        done.failed, done.last_reason = done.failed + 1, reason

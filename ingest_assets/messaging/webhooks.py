"""Send messages of the outbox to web addresses, signed so that a receiver knows who wrote them and when.

The signature covers the time and the exact bytes of the body, so that neither can be changed and an old message cannot
be played again later (the scheme of Stripe's webhooks). While a secret is rotated each message carries a signature for
both, and a receiver accepts either.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput
from ingest_assets.network.guarded_post import GuardedPost
from ingest_assets.network.url_guard import UrlGuard, WebAddress, read_allow_list, read_url

if TYPE_CHECKING:
    from ingest_assets.messaging.outbox_tables import OutboxEntry

CHANNEL = "webhook"
SIGNATURE_HEADER = "X-Ingest-Signature"
ID_HEADER = "X-Ingest-Message-Id"
_OF_THE_SETTING = f"{CHANNEL}:progress"


def progress_targets(settings: Settings) -> tuple[str, ...]:
    """Return the targets that hear of every file."""
    return (_OF_THE_SETTING,) if settings.progress_url.get_secret_value() else ()


def callback_target(url: str, *, settings: Settings) -> str:
    """Return the target of a URL that came with a request.

    Raises:
        BadInput: it is no plain URL, its host may not be called, or there is no secret to sign with.
    """
    guard_of(settings).check(url, name="callback")
    if not settings.progress_secrets:
        raise BadInput("callback: INGEST_PROGRESS_SECRET is not set, so nothing could be signed; ask the operator")
    return f"{CHANNEL}:{url}"


def place_of_target(target: str, *, settings: Settings) -> str:
    """Name a target for people, with its host instead of its URL, which may hold secrets."""
    channel, _, place = target.partition(":")
    if channel != CHANNEL:
        return target
    name = "progress" if target == _OF_THE_SETTING else "callback"
    try:
        return f"{name} to {read_url(_url_of(place, settings=settings), name=name).place}"
    except BadInput:
        return name


def address_of(target: str, *, settings: Settings) -> WebAddress:
    """Return where a target's messages go.

    Raises:
        BadInput: the setting that it stands for is empty, or its host may not be called any more.
    """
    name = "INGEST_PROGRESS_URL" if target == _OF_THE_SETTING else "callback"
    url = _url_of(target.removeprefix(f"{CHANNEL}:"), settings=settings)
    if not url or not settings.progress_secrets:
        raise BadInput("INGEST_PROGRESS_URL or INGEST_PROGRESS_SECRET is not set any more, and messages wait for it")
    return guard_of(settings).check(url, name=name)


def _url_of(place: str, *, settings: Settings) -> str:
    return settings.progress_url.get_secret_value() if place == "progress" else place


def guard_of(settings: Settings) -> UrlGuard:
    """Make the guard with the allow-list of the settings."""
    return UrlGuard(read_allow_list(settings.url_allow))


def signature(body: bytes, *, secrets: Sequence[str], at: int) -> str:
    """Sign a body for a moment in seconds since 1970, once with each secret: `t=…,v1=…[,v1=…]`."""
    signed = str(at).encode() + b"." + body
    made = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={at}", *(f"v1={each}" for each in made)])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    is_sent: bool
    is_refused: bool = False
    """The receiver will never take the message."""
    reason: str = ""
    retry_after_s: float = 0.0


def send(entry: OutboxEntry, *, settings: Settings, post: GuardedPost) -> Outcome:
    """Send one message once.

    Raises:
        BadInput: the guard refuses the address.
        OutsideError: there was no answer.
    """
    address, body = address_of(entry.target, settings=settings), entry.body.encode()
    answer = post.post(
        address,
        body,
        headers=[
            ("Content-Type", "application/json"),
            ("User-Agent", f"ingest-assets/{version('ingest-assets')}"),
            (ID_HEADER, entry.message_id),
            (SIGNATURE_HEADER, signature(body, secrets=settings.progress_secrets, at=int(time.time()))),
        ],
    )
    if answer.is_accepted:
        return Outcome(is_sent=True)
    also = "; redirects are not followed" if 300 <= answer.status < 400 else ""
    return Outcome(
        is_sent=False,
        is_refused=answer.is_refused,
        reason=f"{address.place}: it answered {answer.status}{also}",
        retry_after_s=answer.retry_after_s,
    )

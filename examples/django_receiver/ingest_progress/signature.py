"""Verify who wrote a message and when. Needs neither Django nor any other library."""

import hashlib
import hmac
from collections.abc import Sequence

MAX_AGE_S = 300
"""Every attempt is signed anew, so an honest message is seconds old. Both clocks may be wrong by the rest."""


def is_genuine(body: bytes, header: str, *, secrets: Sequence[str], now_s: float) -> bool:
    """Tell whether the body was signed with one of the secrets within the last five minutes.

    `header` is `X-Ingest-Signature`, as `t=1764460800,v1=5257a8…`. While a secret is rotated it has two `v1`.
    """
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value.strip() for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()):
        return False
    if abs(now_s - int(times[0][:15])) > MAX_AGE_S:
        return False
    signed = times[0].encode() + b"." + body
    known = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in known for other in given)

"""Post to web addresses through the guard, each attempt within a fixed time.

The connection goes to the address that the guard judged, while the host's name stays in the request and in the check of
the certificate. Redirects are not followed, proxies of the environment are not used: both would go where nothing was
judged. An attempt has one deadline for everything. A time-out for each read, as HTTP clients have, lets a receiver that
sends a byte now and then hold the sender for ever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

from ingest_assets.errors import OutsideError
from ingest_assets.network.url_guard import UrlGuard, WebAddress

if TYPE_CHECKING:
    import ssl

    import httpcore

ATTEMPT_S = 10.0
"""For one attempt: name, connection, TLS, request, answer. A receiver that needs longer should answer first."""
_MAX_ANSWER = 4_096
"""Bytes of an answer that are read, to use the connection again; its status is all that counts."""
_ANSWER_S = 1.0
_LONGEST_WISH_S = 3_600.0


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """What a receiver answered."""

    status: int
    retry_after_s: float = 0.0
    """When it wishes to be asked again; 0 where it said nothing."""

    @property
    def is_accepted(self) -> bool:
        """Tell whether the receiver has taken the message."""
        return 200 <= self.status < 300

    @property
    def is_refused(self) -> bool:
        """Tell whether the same message will never be taken: RFC 9110 lets 408, 425 and 429 be tried again."""
        return 400 <= self.status < 500 and self.status not in {408, 425, 429}


@dataclass
class GuardedPost:
    """Posts to receivers and keeps connections open until it is closed."""

    guard: UrlGuard
    attempt_s: float = ATTEMPT_S
    trusted: ssl.SSLContext | None = None
    """Whose certificates are believed; None stands for certifi's, this host's and SSL_CERT_FILE."""
    _until: list[float] = field(default_factory=lambda: [0.0])

    def __enter__(self) -> Self:
        """Open nothing: connections are made when they are needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if "_pool" in self.__dict__:
            self._pool.close()
            del self.__dict__["_pool"]

    def post(self, address: WebAddress, body: bytes, *, headers: Sequence[tuple[str, str]]) -> PostAnswer:
        """Post a body once and return what was answered.

        Raises:
            BadInput: the guard refuses the host.
            OutsideError: there was no answer in time.
        """
        import httpcore

        url = httpcore.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
        pool = self._pool
        self._until[0] = time.monotonic() + self.attempt_s
        try:
            with pool.stream("POST", url, headers=list(headers), content=body) as response:
                answer = PostAnswer(response.status, _retry_after_s(response.headers))
                self._drop_content(response.iter_stream())
                return answer
        except httpcore.TimeoutException as error:
            raise OutsideError(f"{address.place}: no answer within {self.attempt_s:.0f} s") from error
        except httpcore.ProtocolError as error:  # its text would repeat what the receiver wrote
            raise OutsideError(f"{address.place}: it hung up, or what it answered is no HTTP") from error
        except httpcore.NetworkError as error:
            raise OutsideError(f"{address.place}: the connection failed ({error})") from error

    def _drop_content(self, content: Iterable[bytes]) -> None:
        """Read a short content, so that the connection can be used again; one that is long or slow ends it."""
        import httpcore

        self._until[0] = min(self._until[0], time.monotonic() + _ANSWER_S)
        length = 0
        try:
            for part in content:
                length += len(part)
                if length > _MAX_ANSWER:
                    return
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
            return

    @cached_property
    def _pool(self) -> httpcore.ConnectionPool:
        from ingest_assets.network.guarded_connections import guarded_pool

        return guarded_pool(self.guard, until=self._until, trusted=self.trusted)


def _retry_after_s(headers: Sequence[tuple[bytes, bytes]]) -> float:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3), up to an hour; 0 where there is none to read."""
    text = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), "")
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WISH_S)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return min(max(0.0, (then - datetime.now(UTC)).total_seconds()), _LONGEST_WISH_S)

"""Let a key make so many requests in a time and no more, and say when it may ask again."""

from __future__ import annotations

import time

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from ingest_assets.api.problems import too_many


class Throttle:
    """Counts the requests of each key in this process."""

    def __init__(self, rates: str) -> None:
        """Take rates such as `10/second;600/minute`, or `off`."""
        self._rates = parse_many(rates) if rates != "off" else []
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, who: str) -> None:
        """Count a request of a key, or of an address without one.

        Raises:
            ApiProblem: it is one too many.
        """
        for rate in self._rates:
            if not self._limiter.hit(rate, who):
                again_at = self._limiter.get_window_stats(rate, who).reset_time
                raise too_many(
                    "too_many_requests",
                    f"more than {rate}; ask again later, or have INGEST_RATE_LIMIT raised",
                    retry_after_s=again_at - time.time(),
                )

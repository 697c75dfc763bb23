"""Let so many uploads arrive at once and no more.

Each holds a connection, a thread for every piece that it hands on, and space in the bucket before anything is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from ingest_assets.api.problems import too_many

_ASK_AGAIN_S = 5.0


class UploadSlots:
    """The uploads that one service receives."""

    def __init__(self, limit: int) -> None:
        """Take how many there may be at once; 0: any number."""
        self._limit, self._taken, self._counting = limit, 0, Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Receive an upload in the block.

        Raises:
            ApiProblem: 429 `too_many_uploads`.
        """
        with self._counting:
            if self._limit and self._taken >= self._limit:
                detail = f"the service receives {self._taken} uploads, as many as it may at once; send this one later"
                raise too_many("too_many_uploads", detail, retry_after_s=_ASK_AGAIN_S)
            self._taken += 1
        try:
            yield
        finally:
            with self._counting:
                self._taken -= 1

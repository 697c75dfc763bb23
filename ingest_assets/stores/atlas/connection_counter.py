"""Count the connections of a MongoDB client from the events that its pools publish.

pymongo has no figure for them; the events are part of the specification of all drivers
(https://github.com/mongodb/specifications/blob/master/source/connection-monitoring-and-pooling/connection-monitoring-and-pooling.md).
They come in the threads that use the connections.
"""

from __future__ import annotations

from threading import Lock

from pymongo import monitoring

from ingest_assets.stores.contract import ConnectionCounts


class ConnectionCounter(monitoring.ConnectionPoolListener):
    """The connections of one client."""

    def __init__(self) -> None:
        self._open = self._in_use = self._waiting = 0
        self._counting = Lock()

    def counts(self) -> ConnectionCounts:
        """Return how many there are now."""
        with self._counting:
            return ConnectionCounts(self._in_use, max(self._open - self._in_use, 0), self._waiting)

    def _count(self, *, open_now: int = 0, in_use: int = 0, waiting: int = 0) -> None:
        with self._counting:
            self._open += open_now
            self._in_use += in_use
            self._waiting += waiting

    def connection_created(self, _: monitoring.ConnectionCreatedEvent) -> None:
        """Count a connection."""
        self._count(open_now=1)

    def connection_closed(self, _: monitoring.ConnectionClosedEvent) -> None:
        """Count a connection no longer."""
        self._count(open_now=-1)

    def connection_check_out_started(self, _: monitoring.ConnectionCheckOutStartedEvent) -> None:
        """Count a call that waits."""
        self._count(waiting=1)

    def connection_check_out_failed(self, _: monitoring.ConnectionCheckOutFailedEvent) -> None:
        """Count a call that has given up."""
        self._count(waiting=-1)

    def connection_checked_out(self, _: monitoring.ConnectionCheckedOutEvent) -> None:
        """Count a connection that a call has got."""
        self._count(in_use=1, waiting=-1)

    def connection_checked_in(self, _: monitoring.ConnectionCheckedInEvent) -> None:
        """Count a connection that a call has given back."""
        self._count(in_use=-1)

    def connection_ready(self, _: monitoring.ConnectionReadyEvent) -> None:
        """Take note of nothing: the connection is counted already."""

    def pool_created(self, _: monitoring.PoolCreatedEvent) -> None:
        """Take note of nothing: a pool begins empty."""

    def pool_ready(self, _: monitoring.PoolReadyEvent) -> None:
        """Take note of nothing."""

    def pool_cleared(self, _: monitoring.PoolClearedEvent) -> None:
        """Take note of nothing: each of its connections has an event of its own."""

    def pool_closed(self, _: monitoring.PoolClosedEvent) -> None:
        """Take note of nothing: each of its connections has an event of its own."""

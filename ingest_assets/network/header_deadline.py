"""Close an HTTP connection whose request does not have all its headers in time.

A client that sends a header every few seconds, and never the last, keeps a connection for as long as it likes (slow
loris). uvicorn has no option against it: its `timeout_keep_alive` counts between two requests only. The HTTP service
and the MCP server both use this protocol.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0
"""A client has so long to send the headers of a request."""
MAX_HEADER_BYTES = 16_384


class ImpatientProtocol(H11Protocol):
    """Close a connection whose next request does not have all its headers in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn types it so too
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and stop waiting when they complete the headers."""
        super().data_received(data)
        is_web_socket = self.transport.get_protocol() is not self
        if is_web_socket or (self.cycle is not None and not self.cycle.response_complete):
            self._stop_waiting()
        else:
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

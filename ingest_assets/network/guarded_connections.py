"""Connect to addresses that the guard judged, and give each read and write what is left of one deadline.

httpcore takes these as a network back end. This module imports it, so import this one where a connection is needed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import httpcore

from ingest_assets.network.url_guard import UrlGuard

_CONNECT_S = 5.0
_IDLE_S = 30.0


def guarded_pool(guard: UrlGuard, *, until: Sequence[float], trusted: ssl.SSLContext | None) -> httpcore.ConnectionPool:
    """Return a pool whose connections are guarded; `until[0]` is the monotonic time at which the attempt ends.

    `trusted` says whose certificates are believed; None stands for certifi's, this host's and SSL_CERT_FILE.
    """
    backend = _GuardedBackend(guard, until)
    return httpcore.ConnectionPool(ssl_context=trusted or _trusted(), network_backend=backend, keepalive_expiry=_IDLE_S)


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to an address that the guard judged."""

    def __init__(self, guard: UrlGuard, until: Sequence[float]) -> None:
        self._guard, self._until = guard, until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in self._guard.checked_addresses(host, port):
            left_s = min(_CONNECT_S, _left_s(self._until, httpcore.ConnectTimeout))
            try:
                return _TimedStream(httpcore.SyncBackend().connect_tcp(address, port, left_s), self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        assert failed is not None, "the guard returns one address or more"
        raise failed


class _TimedStream(httpcore.NetworkStream):
    """Gives each read and write what is left of the attempt's time."""

    def __init__(self, stream: httpcore.NetworkStream, until: Sequence[float]) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left_s(self._until, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left_s(self._until, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left_s = _left_s(self._until, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left_s), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@cache
def _trusted() -> ssl.SSLContext:
    """Load the certificates that are trusted, once in a process: it takes 0.1 s."""
    context = httpcore.default_ssl_context()
    context.load_default_certs()  # also what this host trusts, and SSL_CERT_FILE
    return context


def _left_s(until: Sequence[float], error: type[Exception]) -> float:
    """Return what is left of the attempt's time, and raise where nothing is."""
    left_s = until[0] - time.monotonic()
    if left_s <= 0:
        raise error
    return left_s

"""Run the service: listen, answer, and end without losing what was begun.

One process: embedded Chroma takes one writer, and a second embedder would double the memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from ingest_assets.api.app import make_app
from ingest_assets.api.logs import log_settings
from ingest_assets.api.service import Service
from ingest_assets.api.service_address import ServiceAddress, leave, remove, what_is_searched
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError
from ingest_assets.network.header_deadline import MAX_HEADER_BYTES, ImpatientProtocol

GRACE_S = 30
"""Requests that are being answered when the service is to end have so long."""
_MAX_CONNECTIONS = 512


class _Announced(uvicorn.Server):
    """A server that says when it answers and where."""

    def __init__(self, service: Service, *, started_at: Callable[[str, int], None]) -> None:
        super().__init__(server_config(service))
        self._service = service
        self._started_at = started_at

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.is_ending.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._started_at(host, port)


def serve(settings: Settings, *, started_at: Callable[[str, int], None] | None = None) -> None:
    """Answer requests until a signal ends the process; `started_at` is called with address and port.

    Raises:
        ConfigError: the address is taken, or something is set up wrongly.
    """
    service = Service(settings)
    address: list[ServiceAddress] = []

    def announce(host: str, port: int) -> None:
        at = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
        address.append(
            ServiceAddress(
                url=f"http://{f'[{at}]' if ':' in at else at}:{port}",
                token=service.local_token,
                process=os.getpid(),
                answers_for=what_is_searched(settings),
            )
        )
        leave(settings.home, address[0])
        if started_at is not None:
            started_at(host, port)

    try:
        _Announced(service, started_at=announce).run()
    except SystemExit as error:  # uvicorn has logged why
        if not address:
            raise ConfigError(
                f"the service cannot listen on {settings.address}:{settings.port}; see the log above"
            ) from error
        raise
    finally:
        if address:
            remove(settings.home, address[0])


def server_config(service: Service) -> uvicorn.Config:
    """Return how uvicorn answers for a service."""
    settings = service.settings
    return uvicorn.Config(
        make_app(service),
        host=settings.address,
        port=settings.port,
        http=ImpatientProtocol,
        loop="asyncio",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        workers=1,
        log_config=log_settings(settings.log_format),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        root_path=settings.root_path,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )

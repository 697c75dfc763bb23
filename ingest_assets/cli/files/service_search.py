"""Ask the service that runs on this machine to search, so that a command need not load the model and the store.

The service leaves a note of where it answers (`api/service_address.py`). Whatever it does not answer within a second,
errors included, is left to the caller, which searches in its own process: results and messages are then the same with
and without a service. The standard library's client is used because httpx takes 70 ms to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from ingest_assets.api.service_address import ServiceAddress, find, what_is_searched
from ingest_assets.ledger_records import Hit, Scope

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from ingest_assets.config.settings import Settings

_WITHIN_S = 1.0
"""A service that takes longer to answer is busy or hangs; searching without it takes four seconds."""


class ServiceSearch:
    """Searches through the service of this home, until it fails to answer once."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; a service that searches another store or by another model is not asked."""
        address = find(settings.home)
        self._address = address if address and address.answers_for == what_is_searched(settings) else None
        self._connection: HTTPConnection | None = None

    def hits(self, query: str, *, scope: Scope, k: int) -> list[Hit] | None:
        """Return the k nearest chunks, best first; None if no service answers."""
        if self._address is None:
            return None
        from http.client import HTTPException

        asked = {"query": query, "user_id": scope.user_id, "project_id": scope.project_id, "k": k}
        try:
            return msgspec.json.decode(self._answer(self._address, msgspec.json.encode(asked)), type=list[Hit])
        except (OSError, HTTPException, msgspec.MsgspecError):
            self._address = None
            return None

    def _answer(self, address: ServiceAddress, body: bytes) -> bytes:
        from http.client import HTTPConnection, HTTPException

        if self._connection is None:
            place = urlsplit(address.url)
            self._connection = HTTPConnection(place.hostname or "", place.port, timeout=_WITHIN_S)
        headers = {"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"}
        self._connection.request("POST", "/search/hits", body=body, headers=headers)
        answer = self._connection.getresponse()
        found = answer.read()
        if answer.status != 200:
            raise HTTPException(f"the service answered {answer.status}")
        return found

"""Many clients at once, each with a key of its own: every request is served or told to come later, in its own scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from ingest_assets_tests.api.conftest import Served, serving
from testing.soaking import share

pytestmark = [pytest.mark.slow, pytest.mark.soak]
CLIENTS = share(16, 200)
UPLOADS = 2
"""Of each client: more than may wait, so that some are told to come later."""


@pytest.fixture
def service(tmp_path: Path, model_cache: Path) -> Iterator[Served]:
    with serving(tmp_path / "home", model_cache, INGEST_MAX_QUEUED=CLIENTS // 2) as running:
        yield running


class BusyClient:
    """A client of one project that uploads, hands in chunks, searches, lists and deletes."""

    def __init__(self, service: Served, number: int) -> None:
        self.user_id, self.project_id = f"user{number}", f"project{number}"
        self.other = {"user_id": f"user{(number + 1) % CLIENTS}", "project_id": f"project{(number + 1) % CLIENTS}"}
        self.http = service.with_key(f"{self.user_id}/{self.project_id}")
        self.statuses: Counter[str] = Counter()
        self.kept: set[str] = set()

    def work(self, together: Barrier) -> BusyClient:
        together.wait()
        for number in range(UPLOADS):
            name = f"note {number}.txt"
            if self._asked("POST", "/upload", 202, files=[("files", (name, f"{self.user_id} rows.".encode()))]):
                self.kept.add(name)
        words = f"The boat of {self.user_id} lies at the pier."
        chunk = {"chunk_id": "c1", "markdown": {"text": words}, "metadata": {"doc_id": "boats"}}
        assert self._asked("POST", f"/api/entities/{self.project_id}/chunks", 200, json=chunk)
        (hit,) = self._asked("POST", "/search", 200, json={"query": "where is the boat?"})["hits"]
        assert (hit["text"], hit["file"]["user_id"], hit["file"]["project_id"]) == (
            words,
            self.user_id,
            self.project_id,
        )
        assert self._files() == self.kept | {"boats"}
        assert self._refused("POST", "/search", json={"query": "boat", **self.other})
        assert self._refused("DELETE", "/files", params={"filename": "boats", **self.other})
        assert self._asked("DELETE", "/files", 200, params={"filename": "boats"})["chunks"] == 1
        assert self._asked("POST", "/search", 200, json={"query": "where is the boat?"})["hits"] == []
        assert self._files() == self.kept
        return self

    def _files(self) -> set[str]:
        found = self._asked("GET", "/files", 200)["files"]
        assert {(file["user_id"], file["project_id"]) for file in found} <= {(self.user_id, self.project_id)}
        return {file["filename"] for file in found}

    def _asked(self, method: str, path: str, status: int, **sent: Any) -> Any:
        """Return the answer; None where the client is told to come later, as only an upload is here."""
        answer = self.http.request(method, path, timeout=300, **sent)
        self.statuses[f"{path.split('/')[1]} {answer.status_code}"] += 1
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS and path == "/upload":
            assert answer.json()["code"] == "queue_full"
            assert int(answer.headers["retry-after"]) > 0
            return None
        assert answer.status_code == status, answer.text
        return answer.json()

    def _refused(self, method: str, path: str, **sent: Any) -> bool:
        answer = self.http.request(method, path, timeout=300, **sent)
        return answer.status_code == httpx.codes.FORBIDDEN and answer.json()["code"] == "forbidden"


def test_each_client_is_served_in_its_own_scope_or_told_to_come_later(service: Served) -> None:
    clients = [BusyClient(service, number) for number in range(CLIENTS)]
    together = Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(lambda client: client.work(together), clients))
    statuses = sum((client.statuses for client in done), Counter[str]())
    assert statuses["upload 202"] + statuses["upload 429"] == UPLOADS * CLIENTS
    assert statuses["upload 202"] >= CLIENTS // 2
    assert statuses["upload 429"] > 0
    assert sum(len(client.kept) for client in done) == statuses["upload 202"]

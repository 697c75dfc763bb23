"""Run the service on a real uvicorn, with a real store and the real model."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import httpx
import psutil
import pytest
import uvicorn

from ingest_assets.access.callers import KeyRole, KeyScope
from ingest_assets.api.service import Service
from ingest_assets.api.serving import server_config
from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.file_ids import file_id_of
from memory_capped_launcher.supervision.connections import kept_connections
from testing.servers import START_S, free_port

COLLECTED_ABOVE = 1500 << 20
"""Each service holds a model of 160 MB, in cycles that Python keeps until tests hold gigabytes."""


class Served:
    """A running service, and what its users and its operator do."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self.settings = service, service.settings
        self.url = f"http://127.0.0.1:{port}"
        self._clients: list[httpx.Client] = []
        self.client = self.client_with({})
        """A client without a key: this machine's, as long as no key was made."""

    def key(self, *scopes: str, role: KeyRole = KeyRole.WRITE) -> str:
        """Make a key; from then on every client needs one."""
        return self.service.keys.add(role=role, scopes=tuple(KeyScope.read(scope) for scope in scopes or ("*",)))

    def with_key(self, *scopes: str, role: KeyRole = KeyRole.WRITE) -> httpx.Client:
        """Return a client with a new key."""
        return self.client_with({"Authorization": f"Bearer {self.key(*scopes, role=role)}"})

    def client_with(self, headers: dict[str, str]) -> httpx.Client:
        """Return a client that sends these headers; it is closed with the service."""
        self._clients.append(httpx.Client(base_url=self.url, timeout=60, headers=headers))
        return self._clients[-1]

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            client.close()

    def put(self, key: str, content: bytes | str) -> str:
        """Put a file into the bucket by its key USER/PROJECT/NAME; return its file_id."""
        path = Path(self.settings.bucket) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return file_id_of(key)

    def ingest(self, file_id: str) -> bool:
        """Run the job for one file of the bucket; tell whether it succeeded."""
        folder = self.settings.home / "instance"
        folder.mkdir(exist_ok=True)
        with dg.DagsterInstance.local_temp(str(folder)) as instance, kept_connections(on=True):
            instance.add_dynamic_partitions("files", [file_id])
            job = build(self.settings).resolve_job_def("ingest_file")
            return job.execute_in_process(instance=instance, partition_key=file_id, raise_on_error=False).success


@contextmanager
def serving(home: Path, model_cache: Path, **settings: object) -> Iterator[Served]:
    """Run the service of a new home until the block ends."""
    port = free_port()
    given = {
        "DAGSTER_HOME": home,
        "INGEST_MODEL_CACHE": model_cache,
        "INGEST_SETTLE_S": 0,
        "INGEST_DELETE_GRACE_S": 0,
        "INGESTION_PORT": port,
        **settings,
    }
    service = Service(Settings.model_validate(given))
    service.project.mark_bucket()
    server = uvicorn.Server(server_config(service))
    thread = threading.Thread(target=server.run, name="service")
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the service did not start"
        time.sleep(0.02)
    served = Served(service, port)
    try:
        yield served
    finally:
        served.close()
        server.should_exit = True
        thread.join(START_S)
        del service, server, served
        if psutil.Process().memory_info().rss > COLLECTED_ABOVE:
            gc.collect()


@pytest.fixture
def served(tmp_path: Path, model_cache: Path) -> Iterator[Served]:
    """A service of its own, with an empty bucket and store."""
    with serving(tmp_path / "home", model_cache) as running:
        yield running


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """One service for the tests of a file that neither make keys nor need an empty store."""
    with serving(tmp_path_factory.mktemp("service") / "home", model_cache) as running:
        yield running

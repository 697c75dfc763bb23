"""The Python client against the real service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ingest_assets import client as module
from ingest_assets.client import ServiceClient, ServiceRefused
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets_tests.api.conftest import Served, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("service") / "home", model_cache) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[ServiceClient]:
    with ServiceClient(service.url, user_id="ann", project_id="p") as opened:
        yield opened


def chunk(number: int, text: str) -> dict[str, object]:
    return {
        "chunk_id": f"c{number}",
        "markdown": {"text": text, "chunk_order_index": number, "pages": [1]},
        "metadata": {"doc_id": "manual"},
    }


@pytest.mark.slow
def test_a_file_is_uploaded_and_waited_for(service: Served, client: ServiceClient, tmp_path: Path) -> None:
    (tmp_path / "tides.md").write_text("# Tides\n\nThe tide turns at noon.\n")
    taken = client.upload([tmp_path / "tides.md"])
    (file,) = taken.files
    assert (file.file_id, taken.has_ended) == ("ann:p:tides.md", False)
    assert client.status(taken.job_id).files[0].chunks == 0
    assert service.ingest(file.file_id)
    done = client.wait(taken.job_id, timeout_s=30)
    assert (done.state, done.files[0].state, done.files[0].chunks) == ("succeeded", "succeeded", 1)


@pytest.mark.slow
def test_a_file_that_is_there_is_replaced_only_if_it_is_named(client: ServiceClient, tmp_path: Path) -> None:
    (tmp_path / "lamp.txt").write_text("The lamp is lit.")
    client.upload([tmp_path / "lamp.txt"])
    (tmp_path / "lamp.txt").write_text("The lamp is out.")
    with pytest.raises(ServiceRefused) as refused:
        client.upload([tmp_path / "lamp.txt"])
    assert (refused.value.status, refused.value.code) == (409, "name_taken")
    assert client.upload([tmp_path / "lamp.txt"], replace=["lamp.txt"]).files[0].filename == "lamp.txt"
    renamed = client.upload([tmp_path / "lamp.txt"], rename={"lamp.txt": "old lamp.txt"})
    assert renamed.files[0].filename == "old lamp.txt"


@pytest.mark.slow
def test_chunks_are_handed_in_and_duplicates_counted(client: ServiceClient) -> None:
    first = client.add_chunks("acme", [chunk(0, "The lamp burns oil."), chunk(1, "The horn is loud.")])
    assert (first.success, first.indexed_chunks, first.conflicts) == (True, 2, ())
    second = client.add_chunks("acme", [chunk(0, "The lamp burns oil."), chunk(1, "The horn is broken.")])
    assert (second.success, second.duplicate_chunks, second.conflicts) == (False, 1, ("c1",))


@pytest.mark.slow
def test_what_the_service_refuses_has_its_code(client: ServiceClient) -> None:
    with pytest.raises(ServiceRefused) as refused:
        client.status("no-such-job")
    assert (refused.value.status, refused.value.code) == (404, "unknown_job")


def test_a_file_that_cannot_be_read_and_a_wrong_address_are_named(tmp_path: Path) -> None:
    with (
        ServiceClient("http://127.0.0.1:1") as client,
        pytest.raises(BadInput, match=r"gone\.txt: cannot be read"),
    ):
        client.upload([tmp_path / "gone.txt"])
    with pytest.raises(ConfigError, match="http://HOST:PORT"):
        ServiceClient("localhost:7860")


class _Busy(BaseHTTPRequestHandler):
    """Answers 429 once, then as the service does; or 503 always."""

    keys: list[str]
    always = False

    def do_POST(self) -> None:
        self.keys.append(self.headers["Idempotency-Key"])
        self.rfile.read(int(self.headers["Content-Length"]))
        busy = self.always or len(self.keys) == 1
        body = b'{"code": "busy", "detail": "the queue is full"}'
        if not busy:
            body = b'{"success": true, "doc_id": "d", "total_chunks": 1, "indexed_chunks": 1, "duplicate_chunks": 0,'
            body += b' "message": "", "entity_id": "e"}'
        self.send_response((503 if self.always else 429) if busy else 200)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[False, True], ids=["once", "always"])
def busy(request: pytest.FixtureRequest) -> Iterator[tuple[str, type[_Busy]]]:
    handler = type("Handler", (_Busy,), {"keys": [], "always": request.param})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_that_has_to_wait_is_sent_again_with_its_key(busy: tuple[str, type[_Busy]]) -> None:
    url, handler = busy
    with ServiceClient(url) as client:
        if handler.always:
            with pytest.raises(OutsideError, match="the queue is full"):
                client.add_chunks("e", [chunk(0, "words")])
            assert len(handler.keys) == module.TRIES
        else:
            assert client.add_chunks("e", [chunk(0, "words")]).success
            assert len(handler.keys) == 2
    assert len(set(handler.keys)) == 1

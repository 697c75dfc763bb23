"""The Python client against the real service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ingest_assets.client import ServiceClient, ServiceRefused, service_client
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.api.documented import program
from testing.servers import serving_in_thread


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("service") / "home", model_cache) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[ServiceClient]:
    with ServiceClient(service.url, user_id="ann", project_id="reports") as opened:
        yield opened


def chunk(number: int, text: str) -> dict[str, object]:
    return {
        "chunk_id": f"c{number}",
        "markdown": {"text": text, "chunk_order_index": number, "pages": [1]},
        "metadata": {"doc_id": "manual"},
    }


@pytest.mark.slow
def test_a_file_is_uploaded_and_waited_for_and_used_as_the_documentation_shows(
    service: Served, client: ServiceClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tides.md").write_text("# Tides\n\nThe tide table hangs beside the boathouse door.\n")
    taken = client.upload([tmp_path / "tides.md"])
    (file,) = taken.files
    assert (file.file_id, taken.has_ended) == ("ann:reports:tides.md", False)
    assert client.status(taken.job_id).files[0].chunks == 0
    assert service.ingest(file.file_id)
    done = client.wait(taken.job_id, timeout_s=30)
    assert (done.state, done.files[0].state, done.files[0].chunks) == ("succeeded", "succeeded", 1)
    code, shown = program("From Python", url=service.url)
    capsys.readouterr()
    exec(compile(code, "docs/api.md", "exec"), {})
    assert capsys.readouterr().out == shown


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
def test_a_document_is_listed_read_searched_and_removed(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_client, "_PAGE", 2)  # so that three chunks are two pages
    texts = ["The lamp burns oil.", "The horn is loud in fog.", "The ferry leaves at nine."]
    with ServiceClient(service.url, user_id="entities", project_id="keepers") as client:
        client.add_chunks("keepers", [chunk(number, text) for number, text in enumerate(texts)])
        (listed,) = client.files()
        assert (listed.filename, listed.state, listed.origin, listed.chunks) == ("manual", "succeeded", "client", 3)
        assert [each.text for each in client.chunks("manual", origin="client")] == texts
        assert client.content("manual").split("\n\n")[:2] == texts[:2]
        assert '"text":' in client.content("manual", form="json").replace(" ", "")
        (hit,) = client.search("what makes noise?", k=1, filters={"pages": [1]})
        assert (hit.text, hit.pages, hit.file.filename) == (texts[1], (1,), "manual")
        assert 0 < hit.score <= 1
        assert client.search("noise", filters={"pages": [2]}) == client.search("noise", min_score=0.999) == []
        assert {hit.file.project_id for hit in client.search("noise", projects=["keepers", "empty"])} == {"keepers"}
        assert client.delete("manual", origin="client") == 3
        assert list(client.files()) == []


@pytest.mark.slow
def test_a_file_of_the_bucket_is_ingested_by_its_key(service: Served, client: ServiceClient) -> None:
    service.put("ann/reports/buoys.txt", "The buoys are green.")
    job = client.ingest_file("ann/reports/buoys.txt", metadata={"year": 2026})
    assert [file.file_id for file in job.files] == ["ann:reports:buoys.txt"]
    assert "buoys.txt" in {file.filename for file in client.files()}
    with pytest.raises(ServiceRefused) as refused:
        client.content("buoys.txt")
    assert (refused.value.status, refused.value.code) == (404, "not_read")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda client: client.status("no-such-job"), 404, "unknown_job"),
        (lambda client: client.content("gone.md"), 404, "no_such_file"),
        (lambda client: client.delete("gone.md"), 404, "no_such_file"),
        (lambda client: list(client.chunks("gone.md")), 404, "no_such_file"),
        (lambda client: client.search(""), 400, "wrong_request"),
        (lambda client: client.ingest_file("ann/reports/gone.md"), 404, "no_such_object"),
    ],
    ids=["status", "content", "delete", "chunks", "search", "ingest_file"],
)
def test_what_the_service_refuses_has_status_code_and_detail(
    client: ServiceClient, ask: Callable[[ServiceClient], object], status: int, code: str
) -> None:
    with pytest.raises(ServiceRefused) as refused:
        ask(client)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.detail == str(refused.value) != ""


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
    with serving_in_thread(HTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}", handler


def test_a_request_that_has_to_wait_is_sent_again_with_its_key(busy: tuple[str, type[_Busy]]) -> None:
    url, handler = busy
    with ServiceClient(url) as client:
        if handler.always:
            with pytest.raises(OutsideError, match="the queue is full") as away:
                client.add_chunks("e", [chunk(0, "words")])
            assert isinstance(away.value.__cause__, ServiceRefused)
            assert away.value.__cause__.code == "busy"
            assert len(handler.keys) == service_client.TRIES
        else:
            assert client.add_chunks("e", [chunk(0, "words")]).success
            assert len(handler.keys) == 2
    assert len(set(handler.keys)) == 1

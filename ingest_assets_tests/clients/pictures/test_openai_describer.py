"""Test the describer against a real HTTP server on loopback that answers as such services do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from ingest_assets.clients.pictures.openai_describer import OpenAiDescriber
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from testing.servers import serving_in_thread

KEY = "sk-very-secret"


class Service(ThreadingHTTPServer):
    """Answers every question with `status` and `body`, and remembers what it was asked."""

    daemon_threads = True
    status = 200
    body: object = {"choices": [{"message": {"content": "A heron on a post."}}]}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], question))
        body = self.server.body if isinstance(self.server.body, bytes) else json.dumps(self.server.body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    with serving_in_thread(Service()) as service:
        yield service


@pytest.fixture
def describer(service: Service) -> Iterator[OpenAiDescriber]:
    with OpenAiDescriber("vision-9", base_url=service.url, key=KEY, time_limit_s=5) as describer:
        yield describer


def saved(image: Image.Image, format_name: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, format_name)
    return file.getvalue()


DISC = saved(Image.radial_gradient("L"))


def sent(service: Service) -> tuple[str, bytes]:
    """Return media type and bytes of the picture that the service was shown last."""
    _, _, question = service.asked[-1]
    header, _, data = question["messages"][0]["content"][1]["image_url"]["url"].partition(",")
    return header, base64.b64decode(data)


def test_a_picture_is_sent_with_key_and_model_and_described(service: Service, describer: OpenAiDescriber) -> None:
    assert describer.describe(DISC) == "A heron on a post."
    ((path, authorization, question),) = service.asked
    assert (path, authorization) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert question["model"] == "vision-9"
    assert sent(service) == ("data:image/png;base64", DISC)
    assert describer.model.startswith("openai/vision-9")


def test_a_jpeg_is_sent_as_one_and_a_huge_picture_smaller(service: Service, describer: OpenAiDescriber) -> None:
    photo = saved(Image.radial_gradient("L").convert("RGB"), "JPEG")
    describer.describe(photo)
    assert sent(service) == ("data:image/jpeg;base64", photo)
    describer.describe(saved(Image.new("RGB", (6000, 3000), "white")))
    header, data = sent(service)
    assert header == "data:image/jpeg;base64"
    assert max(Image.open(io.BytesIO(data)).size) <= 2048


def test_a_damaged_picture_is_not_sent(service: Service, describer: OpenAiDescriber) -> None:
    with pytest.raises(BadInput, match="picture: damaged"):
        describer.describe(DISC[: len(DISC) // 2])
    assert service.asked == []


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, BadInput, "refused by the vision model"),
        (413, BadInput, "refused by the vision model"),
        (401, ConfigError, "INGEST_OPENAI_KEY"),
        (403, ConfigError, "INGEST_OPENAI_KEY"),
        (404, ConfigError, "INGEST_OPENAI_MODEL"),
        (429, OutsideError, "429"),
        (500, OutsideError, "500"),
        (503, OutsideError, "503"),
        (302, OutsideError, "302"),
    ],
)
def test_who_must_act_is_told_by_the_status_and_the_key_is_in_no_message(
    service: Service, describer: OpenAiDescriber, status: int, error: type[Exception], words: str
) -> None:
    service.status, service.body = status, {"error": {"message": f"Incorrect key {KEY} or picture"}}
    with pytest.raises(error, match=words) as raised:
        describer.describe(DISC)
    assert KEY not in str(raised.value)
    assert len(service.asked) == 1


@pytest.mark.parametrize("body", [b"<html>", {}, {"choices": []}, {"choices": [{"message": "?"}]}, []])
def test_an_answer_that_is_none_is_the_services_fault(
    service: Service, describer: OpenAiDescriber, body: object
) -> None:
    service.body = body
    with pytest.raises(OutsideError, match="no completion"):
        describer.describe(DISC)


def test_a_service_that_is_away_is_tried_again_later(service: Service) -> None:
    with (
        OpenAiDescriber("m", base_url="http://127.0.0.1:9/v1", key=KEY) as describer,
        pytest.raises(OutsideError, match="ConnectError at INGEST_OPENAI_URL"),
    ):
        describer.describe(DISC)


def test_a_server_without_keys_is_sent_none(service: Service) -> None:
    with OpenAiDescriber("m", base_url=service.url + "/", key="") as describer:
        describer.describe(DISC)
    ((path, authorization, _),) = service.asked
    assert (path, authorization) == ("/v1/chat/completions", None)

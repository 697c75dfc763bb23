"""Test bodies of uploads that end early, come slowly, or do not follow their boundary."""

from __future__ import annotations

import socket

import httpx
import pytest

from ingest_assets_tests.api.conftest import Served
from ingest_assets_tests.api.incoming.uploading import held, staged
from ingest_assets_tests.api.test_service import problem
from testing.polling import until

pytestmark = pytest.mark.slow


def test_a_wrong_boundary_is_refused(shared_service: Served) -> None:
    request = httpx.Request("POST", "http://x", data={"user_id": "ann"}, files=[("files", ("a.txt", b"x"))])
    wrong = {"content-type": "multipart/form-data; boundary=other"}
    answer = shared_service.client.post("/upload", content=request.read(), headers=wrong)
    assert "does not follow the boundary" in str(problem(answer)["detail"])


def head_of_form(project: str) -> bytes:
    """Return the body of an upload up to the first byte of its only file."""
    fields = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("user_id", "ann"), ("project_id", project))
    )
    return (fields + '--XX\r\nContent-Disposition: form-data; name="files"; filename="slow.txt"\r\n\r\n').encode()


def begun(served: Served, sent: bytes, *, declared: int) -> socket.socket:
    """Send the beginning of an upload's body, of which `declared` bytes are announced."""
    client = socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=10)
    head = (
        "POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=XX\r\n"
        f"Content-Length: {declared}\r\n\r\n"
    )
    client.sendall(head.encode() + sent)
    return client


def ended_as(served: Served, status: str) -> float:
    """Return how many uploads ended with a status, as the figures count them."""
    lines = served.client.get("/metrics").text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("ingest_http_requests_total{") and 'route="/upload"' in line and f'status="{status}"' in line
    )


def test_a_body_that_ends_early_leaves_nothing(shared_service: Served, project: str) -> None:
    before = ended_as(shared_service, "400")
    client = begun(shared_service, head_of_form(project) + b"x" * 400_000, declared=10_000_000)
    until(lambda: staged(shared_service), what="it lies in the bucket while it arrives", every_s=0.02)
    client.close()
    until(lambda: not staged(shared_service), what="it is gone from the bucket", every_s=0.02)
    assert held(shared_service, project) == {}
    until(lambda: ended_as(shared_service, "400") > before, what="its request has ended", every_s=0.02)
    assert ended_as(shared_service, "500") == 0, "a client that hangs up is no defect of the service"


def test_a_body_that_comes_slowly_is_kept(shared_service: Served, project: str) -> None:
    head, rest = head_of_form(project), b"slowly" + b"\r\n--XX--\r\n"
    with begun(shared_service, head, declared=len(head) + len(rest)) as client:
        for byte in rest:
            client.sendall(bytes([byte]))
        answer = client.recv(65_536)
    assert b" 202 " in answer.partition(b"\r\n")[0]
    assert held(shared_service, project) == {"slow.txt": b"slowly"}

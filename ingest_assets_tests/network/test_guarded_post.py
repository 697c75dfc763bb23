"""Test posts to a real server on loopback: time-outs, names that move to other addresses, and certificates."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.network.guarded_post import GuardedPost
from ingest_assets.network.url_guard import UrlGuard, WebAddress, read_allow_list
from testing.receiver import Receiver, receiving, status


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def post(receiver: Receiver, *, attempt_s: float = 0.3) -> int:
    with GuardedPost(UrlGuard(read_allow_list("127.0.0.1")), attempt_s=attempt_s) as poster:
        return poster.post(WebAddress("http", "127.0.0.1", receiver.port, "/hook"), b"{}", headers=[]).status


def test_a_receiver_that_never_answers_is_a_failure(receiver: Receiver) -> None:
    over = Event()
    receiver.answer = lambda request, body: (over.wait(30), status(204)(request, body))[1]
    with pytest.raises(OutsideError, match="no answer within"):
        post(receiver)
    over.set()


def test_a_receiver_that_answers_byte_by_byte_cannot_hold_the_sender(receiver: Receiver) -> None:
    over = Event()

    def drip(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not over.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()
        request.close_connection = True

    receiver.answer = drip
    with pytest.raises(OutsideError, match="no answer within"):
        post(receiver)
    over.set()


def test_a_slow_content_after_a_good_status_is_no_failure(receiver: Receiver) -> None:
    over = Event()

    def slow(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.send_response(202)
        request.send_header("Content-Length", "100")
        request.end_headers()
        while not over.wait(0.05):
            request.wfile.write(b"x")
            request.wfile.flush()

    receiver.answer = slow
    assert post(receiver, attempt_s=30) == 202
    over.set()


def test_a_name_that_moves_to_another_address_is_judged_again_and_not_called(receiver: Receiver) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
    asked = []

    def moving(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    guard = UrlGuard(read_allow_list("hook.example"), resolve=moving)
    address = WebAddress("http", "hook.example", receiver.port, "/hook")
    with GuardedPost(guard) as poster:
        assert poster.post(address, b"{}", headers=[]).status == 204
        assert receiver.got[0].headers["Host"] == f"hook.example:{receiver.port}"
        assert asked == ["hook.example"], "the connection goes to the address that was judged, without asking again"
        assert poster.post(address, b"{}", headers=[]).status == 204, "the open connection is used"
        poster.close()
        with pytest.raises(BadInput, match=r"169\.254\.169\.254"):
            poster.post(address, b"{}", headers=[])
    assert len(receiver.got) == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hook.example, with its key in the same file."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hook.example")]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path_factory.mktemp("tls") / "hook.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("host", "is_taken"), [("hook.example", True), ("other.example", False)])
def test_tls_checks_the_name_while_the_connection_goes_to_the_judged_address(
    certificate: Path, host: str, is_taken: bool
) -> None:
    names = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _, name, __: names.append(name)
    guard = UrlGuard(read_allow_list(host), resolve=lambda host, port: ["127.0.0.1"])
    trusted = ssl.create_default_context(cafile=str(certificate))
    with receiving(tls=serving) as receiver, GuardedPost(guard, trusted=trusted) as poster:
        address = WebAddress("https", host, receiver.port, "/hook")
        if is_taken:
            assert poster.post(address, b"{}", headers=[]).status == 204
        else:
            with pytest.raises(OutsideError, match="certificate"):
                poster.post(address, b"{}", headers=[])
    assert names == [host]
    assert len(receiver.got) == is_taken

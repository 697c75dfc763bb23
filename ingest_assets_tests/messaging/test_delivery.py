"""Test deliveries to a real server on loopback: order, signatures, and every way in which a receiver can fail."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ingest_assets.config.settings import Settings, load_settings
from ingest_assets.errors import BadInput
from ingest_assets.index.database import Database
from ingest_assets.messaging.delivery import Delivered, deliver_due
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.messaging.outbox_tables import DeliveryState
from ingest_assets.messaging.outbox_upkeep import count, entries, replay
from ingest_assets.messaging.webhooks import callback_target, place_of_target, progress_targets
from ingest_assets_tests.messaging.outbox_parts import WEBHOOK, SetClock, outbox_of, put
from testing.receiver import Receiver, receiving, status
from testing.servers import free_port

SECRET, NEXT_SECRET = "first secret of the tests", "second secret of the tests"


A, B = "ann:p:a.pdf", "ann:p:b.pdf"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path, clock: SetClock) -> Iterator[Outbox]:
    database = Database(f"sqlite:///{tmp_path / 'index.db'}")
    yield outbox_of(database, clock)
    database.close()


def settings_for(url: str, *, secret: str = SECRET, allow: str = "127.0.0.1") -> Settings:
    return load_settings(
        {"INGEST_PROGRESS_URL": url, "INGEST_PROGRESS_SECRET": secret, "INGEST_URL_ALLOW": allow},
    )


def deliver(outbox: Outbox, receiver: Receiver) -> Delivered:
    return deliver_due(outbox, settings_for(receiver.url), within_s=30)


def reason(outbox: Outbox) -> str:
    return entries(outbox, DeliveryState.PENDING, limit=1)[0].reason


def test_messages_arrive_in_order_over_one_connection(outbox: Outbox, receiver: Receiver) -> None:
    for text in ("a1", "a2", "a3"):
        put(outbox, A, text)
    done = deliver(outbox, receiver)
    assert (done.sent, receiver.texts(), receiver.connections) == (3, ["a1", "a2", "a3"], 1)
    assert deliver(outbox, receiver).sent == 0


def test_a_receiver_can_verify_who_wrote_a_message_and_when(outbox: Outbox, receiver: Receiver) -> None:
    message_id = put(outbox, A, "a1")
    deliver(outbox, receiver)
    (got,) = receiver.got
    parts = dict(part.split("=") for part in got.headers["X-Ingest-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{parts['t']}.".encode() + got.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(parts["v1"], expected)
    assert abs(int(parts["t"]) - time.time()) < 60
    assert got.headers["X-Ingest-Message-Id"] == got.message["id"] == message_id
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_during_a_rotation_a_message_is_signed_with_both_secrets(outbox: Outbox, receiver: Receiver) -> None:
    put(outbox, A, "a1")
    deliver_due(outbox, settings_for(receiver.url, secret=f"{NEXT_SECRET},{SECRET}"), within_s=30)
    at, *signatures = receiver.got[0].headers["X-Ingest-Signature"].split(",")
    signed = at.removeprefix("t=").encode() + b"." + receiver.got[0].body
    assert signatures == [
        f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in (NEXT_SECRET, SECRET)
    ]


@pytest.mark.parametrize("code", [500, 502, 503, 408, 425, 429, 301, 302, 307, 308, 304])
def test_a_receiver_that_is_not_ready_is_asked_again_in_order(
    outbox: Outbox, receiver: Receiver, clock: SetClock, code: int
) -> None:
    put(outbox, A, "a1")
    put(outbox, A, "a2")
    receiver.answer = status(code, headers={"Location": f"http://127.0.0.1:{receiver.port}/other"})
    assert deliver(outbox, receiver).failed == 1
    assert f"answered {code}" in reason(outbox)
    receiver.answer = status(204)
    assert deliver(outbox, receiver).sent == 0, "it rests"
    clock.seconds += 1
    assert deliver(outbox, receiver).sent == 2
    assert receiver.texts() == ["a1", "a1", "a2"]
    assert {got.path for got in receiver.got} == {"/hook"}, "a redirect is not followed"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 413, 422])
def test_a_refusal_is_a_dead_letter_and_the_file_goes_on(outbox: Outbox, receiver: Receiver, code: int) -> None:
    put(outbox, A, "a1")
    put(outbox, A, "a2")
    answers = iter([status(code), status(204)])
    receiver.answer = lambda request, body: next(answers)(request, body)
    done = deliver(outbox, receiver)
    assert (done.sent, done.refused, receiver.texts()) == (1, 1, ["a1", "a2"])
    receiver.answer = status(204)
    assert replay(outbox, None) == 1
    assert deliver(outbox, receiver).sent == 1


@pytest.mark.parametrize(
    ("wish", "pause_s"),
    [
        ("60", 60),
        ("0", 1),
        ("-5", 1),
        ("soon", 1),
        ("999999999999", 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
    ],
)
def test_the_receiver_says_when_it_wants_to_be_asked_again(
    outbox: Outbox, receiver: Receiver, clock: SetClock, wish: str, pause_s: float
) -> None:
    put(outbox, A, "a1")
    receiver.answer = status(503, headers={"Retry-After": wish})
    deliver(outbox, receiver)
    assert entries(outbox, DeliveryState.PENDING, limit=1)[0].due_s == clock.seconds + pause_s


def test_the_wish_may_be_a_date(outbox: Outbox, receiver: Receiver, clock: SetClock) -> None:
    put(outbox, A, "a1")
    receiver.answer = status(429, headers={"Retry-After": formatdate(time.time() + 600, usegmt=True)})
    deliver(outbox, receiver)
    assert 0 < entries(outbox, DeliveryState.PENDING, limit=1)[0].due_s - clock.seconds <= 600


def test_nobody_at_the_port_is_a_failure_and_holds_no_other_target_up(outbox: Outbox, receiver: Receiver) -> None:
    away = f"http://127.0.0.1:{free_port()}/hook"
    for number in range(3):
        put(outbox, f"ann:p:{number}", str(number), targets=(f"webhook:{away}", WEBHOOK))
    done = deliver(outbox, receiver)
    assert (done.sent, done.failed) == (3, 1), "one attempt is enough to know that it is away"
    assert "connection failed" in done.last_reason and away.partition("//")[2].partition("/")[0] in done.last_reason


def test_a_flaky_receiver_gets_every_message_of_every_file_in_order(
    outbox: Outbox, receiver: Receiver, clock: SetClock
) -> None:
    codes, taken = itertools.cycle([204, 500, 503, 204, 429, 204, 502]), defaultdict(list)

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> None:
        code, text = next(codes), json.loads(body)["text"]
        if code == 204:
            taken[text[0]].append(text)
        status(code)(request, body)

    receiver.answer = answer
    for number in range(5):
        for letter in "abc":
            put(outbox, f"ann:p:{letter}", f"{letter}{number}")
    while count(outbox).pending:
        deliver(outbox, receiver)
        clock.seconds += 4_000
    assert taken == {letter: [f"{letter}{number}" for number in range(5)] for letter in "abc"}


def test_a_receiver_that_hangs_up_is_a_failure(outbox: Outbox, receiver: Receiver) -> None:
    put(outbox, A, "a1")

    def hang_up(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.close_connection = True

    receiver.answer = hang_up
    assert deliver(outbox, receiver).failed == 1
    assert "it hung up" in reason(outbox)


def test_a_receiver_that_speaks_no_http_is_a_failure_and_its_words_stay_out_of_messages(
    outbox: Outbox, receiver: Receiver
) -> None:
    put(outbox, A, "a1")

    def babble(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.wfile.write(b"hunter2 hunter2\r\n\r\n")
        request.close_connection = True

    receiver.answer = babble
    assert deliver(outbox, receiver).failed == 1
    assert "hunter2" not in reason(outbox)


def test_a_huge_answer_is_not_read_and_counts_by_its_status(outbox: Outbox, receiver: Receiver) -> None:
    put(outbox, A, "a1")
    written = []

    def huge(request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(2_000_000_000))
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 1_000_000)
            written.append(1)

    receiver.answer = huge
    assert deliver(outbox, receiver).sent == 1
    assert len(written) < 100


def test_proxies_of_the_environment_are_not_used(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    put(outbox, A, "a1")
    assert deliver(outbox, receiver).sent == 1


def test_a_host_that_may_not_be_called_any_more_fails_and_shows_no_secret(outbox: Outbox, receiver: Receiver) -> None:
    put(outbox, A, "a1", targets=("webhook:http://10.0.0.9/hook?token=t0ken",))
    done = deliver(outbox, receiver)
    assert done.failed == 1 and "10.0.0.9" in done.last_reason
    assert "t0ken" not in done.last_reason + reason(outbox)


def test_messages_for_a_setting_that_was_emptied_wait_and_say_so(outbox: Outbox) -> None:
    put(outbox, A, "a1")
    done = deliver_due(outbox, load_settings({}), within_s=5)
    assert (done.failed, count(outbox).pending) == (1, 1)
    assert "INGEST_PROGRESS_URL" in reason(outbox)


def test_a_pass_ends_when_its_time_is_over_and_gives_the_rest_back(outbox: Outbox, receiver: Receiver) -> None:
    for number in range(25):
        put(outbox, f"ann:p:{number}", str(number))
    assert deliver_due(outbox, settings_for(receiver.url), within_s=0).sent == 0
    assert deliver(outbox, receiver).sent == 25


def test_the_settings_name_the_target_and_messages_name_its_host() -> None:
    settings = settings_for("http://127.0.0.1:8000/hook/s3cret")
    assert progress_targets(settings) == (WEBHOOK,)
    assert place_of_target(WEBHOOK, settings=settings) == "progress to 127.0.0.1:8000"
    assert place_of_target("webhook:https://hook.example/s3cret", settings=settings) == "callback to hook.example"
    assert place_of_target("kafka:batch-status", settings=settings) == "kafka:batch-status"
    assert progress_targets(load_settings({})) == ()


def test_a_callback_is_checked_when_it_is_given() -> None:
    settings = settings_for("http://receiver/hook", allow="receiver, hook.example")
    assert callback_target("https://hook.example/x", settings=settings) == "webhook:https://hook.example/x"
    with pytest.raises(BadInput, match=r"callback: evil\.example"):
        callback_target("https://evil.example/x", settings=settings)
    with pytest.raises(BadInput, match="INGEST_PROGRESS_SECRET"):
        callback_target("https://hook.example/x", settings=load_settings({}))

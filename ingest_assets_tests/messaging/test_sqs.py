"""Test that events of a real S3 bucket arrive in the inbox through a real queue, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.index.database import Database
from ingest_assets.messaging.inbox import Inbox
from ingest_assets.messaging.sqs import EventQueue, QueueReading
from ingest_assets_tests.messaging.event_bodies import TEST_EVENT, eventbridge, notification, record, through_sns
from testing.object_storage import REGION, S3Server, s3_server
from testing.servers import free_port, serving_in_thread

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@cache
def client_of(server_url: str, service: str) -> Any:
    """Return one client for all tests: making one takes a second on a busy machine."""
    return boto3.client(
        service,
        endpoint_url=server_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@dataclass
class Uploads:
    """A bucket whose events arrive in a queue."""

    server: S3Server
    bucket: str
    url: str
    inbox: Inbox
    database: Path

    def queue(self, *, prefix: str = "") -> EventQueue:
        return EventQueue(self.url, inbox=self.inbox, bucket=self.bucket, prefix=prefix)

    def drain(self, *, prefix: str = "") -> QueueReading:
        return self.queue(prefix=prefix).drain(within_s=30, wait_s=2)

    def put(self, key: str) -> None:
        client_of(self.server.url, "s3").put_object(Bucket=self.bucket, Key=key, Body=b"text")

    def remove(self, key: str) -> None:
        client_of(self.server.url, "s3").delete_object(Bucket=self.bucket, Key=key)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            client_of(self.server.url, "sqs").send_message(QueueUrl=self.url, MessageBody=body)

    def keys(self) -> set[str]:
        return {entry.key for entry in self.inbox.take(10_000)}


def new_queue(server: S3Server, name: str) -> tuple[str, str]:
    """Make a queue; return its URL and its name in AWS."""
    client = client_of(server.url, "sqs")
    url = client.create_queue(QueueName=name)["QueueUrl"]
    url = f"{server.url}/{url.split('/', 3)[3]}"
    return url, client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def uploads(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uploads:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = server.new_bucket()
    url, arn = new_queue(server, f"{bucket}-events")
    events = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    client_of(server.url, "s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [events]}
    )
    path = tmp_path / "index.db"
    return Uploads(server, bucket, url, Inbox(Database(f"sqlite:///{path}")), path)


def test_created_and_removed_objects_arrive_under_the_keys_they_were_uploaded_as(uploads: Uploads) -> None:
    names = {"ann/p/a b+ü,1.txt", "ann/p/100%.txt", "ann/p/📄.txt", "ann/p/sub/deep.txt"}
    for name in names:
        uploads.put(name)
    uploads.put("ann/p/gone.txt")
    uploads.remove("ann/p/gone.txt")
    found = uploads.drain()
    assert uploads.keys() == names | {"ann/p/gone.txt"}
    assert (found.set_aside, found.passed_over.get("s3:TestEvent")) == (0, 1)
    assert uploads.drain().messages == 0, "what was read is deleted"


def test_only_keys_below_the_prefix_arrive_and_the_others_are_counted(uploads: Uploads) -> None:
    uploads.put("docs/ann/p/a.txt")
    uploads.put("other/ann/p/a.txt")
    assert uploads.drain(prefix="docs/").passed_over["outside of docs/"] == 1
    assert uploads.keys() == {"ann/p/a.txt"}


def test_more_messages_than_one_receive_gives_are_read_in_one_look(uploads: Uploads) -> None:
    for number in range(35):
        uploads.put(f"ann/p/{number}.txt")
    assert uploads.drain().keys == 35
    assert uploads.inbox.depth() == 35


def test_duplicates_and_disorder_leave_each_key_once(uploads: Uploads) -> None:
    body = notification(record("ann/p/a.txt", bucket=uploads.bucket))
    removed = notification(record("ann/p/a.txt", bucket=uploads.bucket, event="ObjectRemoved:Delete"))
    uploads.send(removed, body, body, removed)
    uploads.drain()
    assert uploads.keys() == {"ann/p/a.txt"}


def test_what_sns_forwards_is_read(uploads: Uploads) -> None:
    sns = client_of(uploads.server.url, "sns")
    topic = sns.create_topic(Name=f"{uploads.bucket}-topic")["TopicArn"]
    _, arn = new_queue(uploads.server, f"{uploads.bucket}-events")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message=notification(record("ann/p/a b.txt", bucket=uploads.bucket)))
    assert uploads.drain().set_aside == 0
    assert uploads.keys() == {"ann/p/a b.txt"}


def test_what_eventbridge_sends_is_read(uploads: Uploads) -> None:
    uploads.send(eventbridge("ann/p/a b+c.txt", bucket=uploads.bucket), through_sns(TEST_EVENT))
    assert uploads.drain().set_aside == 0
    assert uploads.keys() == {"ann/p/a b+c.txt"}


def test_a_message_that_cannot_be_read_is_set_aside_once_and_the_others_go_on(uploads: Uploads) -> None:
    poison = json.dumps({"Records": [{"secret": "x"}]})
    uploads.send(poison, notification(record("ann/p/a.txt", bucket=uploads.bucket)), poison, "not JSON")
    assert uploads.drain().set_aside == 3
    assert uploads.drain().messages == 0
    assert uploads.keys() == {"ann/p/a.txt"}
    aside = uploads.inbox.set_aside_messages()
    assert sorted(message.times for message in aside) == [1, 2]
    assert all(message.source == f"{uploads.bucket}-events" for message in aside)
    assert b"secret" not in uploads.database.read_bytes()


def test_messages_that_were_received_and_not_deleted_come_again_after_a_kill(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.put("ann/p/a.txt")
    script = """
import os, signal, sys
from ingest_assets.index.database import Database
from ingest_assets.messaging import sqs
from ingest_assets.messaging.inbox import Inbox
url, bucket, path, moment = sys.argv[1:]
sqs._HIDDEN_S = 1  # seconds until the queue gives out again what a dead process had received
queue = sqs.EventQueue(url, inbox=Inbox(Database(f"sqlite:///{path}")), bucket=bucket, prefix="")
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
setattr(*((queue._inbox, "put") if moment == "before the put" else (queue, "_delete")), lambda *_, **__: die())
queue.drain(within_s=10, wait_s=2)
"""
    for moment, kept in [("before the put", set[str]()), ("before the delete", {"ann/p/a.txt"})]:
        died = subprocess.run(
            [sys.executable, "-c", script, uploads.url, uploads.bucket, str(uploads.database), moment],
            check=False,
            timeout=120,
            env={**os.environ, **uploads.server.environment},
        )
        assert died.returncode == -signal.SIGKILL
        assert uploads.keys() == kept, moment
    found = uploads.queue().drain(within_s=10, wait_s=10)
    assert found.keys == 1
    assert uploads.keys() == {"ann/p/a.txt"}


def test_a_queue_that_is_gone_is_named_with_what_to_do(uploads: Uploads) -> None:
    queue = EventQueue(f"{uploads.server.url}/000000000000/none", inbox=uploads.inbox, bucket="b", prefix="")
    with pytest.raises(OutsideError, match=r"the queue none at 127\.0\.0\.1:\d+ cannot be used .*INGEST_EVENTS_QUEUE"):
        queue.drain(within_s=5)


def test_a_service_that_does_not_answer_is_tried_again_later(uploads: Uploads) -> None:
    queue = EventQueue(f"http://127.0.0.1:{free_port()}/0/q", inbox=uploads.inbox, bucket="b", prefix="")
    with pytest.raises(OutsideError, match=r"EndpointConnectionError.*tried again"):
        queue.drain(within_s=5)


def test_missing_credentials_are_named(uploads: Uploads, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(OutsideError, match="AWS_ACCESS_KEY_ID"):
        uploads.drain()


ANSWERS = {
    "AccessDenied": (403, "sqs:ReceiveMessage"),
    "ExpiredToken": (403, "Renew them"),
    "ThrottlingException": (400, "fewer requests"),
    "com.amazonaws.sqs#QueueDoesNotExist": (400, "Make the queue"),
    "KMS.AccessDeniedException": (400, "kms:Decrypt"),
}


@pytest.mark.parametrize(("code", "status", "advice"), [(code, *rest) for code, rest in ANSWERS.items()], ids=ANSWERS)
def test_a_refusal_says_what_to_do(uploads: Uploads, code: str, status: int, advice: str) -> None:
    with answering(status, {"__type": code, "message": "no"}) as server:
        queue = EventQueue(f"http://127.0.0.1:{server.server_port}/0/q", inbox=uploads.inbox, bucket="b", prefix="")
        with pytest.raises(OutsideError, match=advice) as refused:
            queue.drain(within_s=5)
    assert "secret" not in str(refused.value).lower()


def answering(status: int, body: dict[str, Any]) -> AbstractContextManager[ThreadingHTTPServer]:
    """Answer every request on loopback in the same way."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return serving_in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Answer))


def test_a_forked_process_has_a_client_of_its_own(uploads: Uploads) -> None:
    queue = uploads.queue()
    queue.drain(within_s=5)
    with queue._asked() as ours:
        child = os.fork()
        if not child:
            with queue._asked() as theirs:
                os._exit(theirs is ours)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

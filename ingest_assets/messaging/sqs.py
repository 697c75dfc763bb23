"""Receive the bucket's events from a queue of Amazon SQS and put the keys that they name into the inbox.

The order makes sure that no event is lost: the keys are in the inbox, durably, before the messages are deleted from the
queue. A process that dies in between leaves the messages to the queue, which gives them out again, and the inbox holds
each key once. Messages that cannot be read are set aside and then deleted; otherwise they would come back for ever.

One receive gives ten messages at most, so a tick that receives once can follow ten uploads a second only
(github.com/StackStorm-Exchange/stackstorm-aws, issue 90). `drain` receives until the queue is empty or time is up.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ingest_assets.buckets.aws_credentials import ADVICE_ON_CREDENTIALS
from ingest_assets.buckets.object_store import ClientOfProcess
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.messaging.inbox import Inbox
from ingest_assets.messaging.object_events import NoticedKeys, read_events

EVENT = "event"
"""Why a key is in the inbox: an event named it."""
LONGEST_WAIT_S = 20
"""The longest that SQS lets a receive wait for a message."""
_BATCH = 10  # the most messages that one request receives or deletes
_HIDDEN_S = 60  # reading ten messages takes milliseconds; after a crash they come back in a minute
_REGION = re.compile(r"(?:^|\.)(?:sqs(?:-fips)?\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.")
_RIGHTS = "sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on the queue"
_ADVICE = {
    **ADVICE_ON_CREDENTIALS,
    "AccessDenied": f"Give the credentials {_RIGHTS}",
    "KMS.AccessDeniedException": "The queue is encrypted: give the credentials kms:Decrypt on its key",
    "QueueDoesNotExist": "Make the queue, or correct INGEST_EVENTS_QUEUE",
    "RequestThrottled": "The service asks for fewer requests. It is tried again",
    "EndpointConnectionError": "Is the network up, is INGEST_EVENTS_QUEUE right? It is tried again",
    "ResponseParserError": "This is no answer of SQS: is INGEST_EVENTS_QUEUE right?",
}
_SAME = {
    "AccessDeniedException": "AccessDenied",
    "403": "AccessDenied",
    "KmsAccessDenied": "KMS.AccessDeniedException",
    "AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist",
    "Throttling": "RequestThrottled",
    "ThrottlingException": "RequestThrottled",
    "OverLimit": "RequestThrottled",
    "503": "RequestThrottled",
}


@dataclass(frozen=True, slots=True)
class QueueReading:
    """What one look at the queue found."""

    messages: int
    keys: int
    """Different keys put into the inbox, message by message."""
    set_aside: int
    """Messages that could not be read."""
    passed_over: Mapping[str, int]
    """Events that concern no file of the bucket, by a name for people."""


class EventQueue:
    """A queue of SQS that the bucket's events arrive in."""

    def __init__(self, url: str, *, inbox: Inbox, bucket: str, prefix: str) -> None:
        """Take the URL of the queue, and the bucket's name and prefix (`""` or one that ends in a slash).

        The service is asked at the host that the URL names. Nothing is connected yet.
        """
        self.name = url.rpartition("/")[2]
        self._url, self._inbox, self._bucket, self._prefix = url, inbox, bucket, prefix
        self._client = ClientOfProcess(lambda: _new_client(url))

    def drain(self, *, within_s: float, wait_s: int = 0) -> QueueReading:
        """Put the keys of the messages into the inbox, until the queue is empty or time is up.

        `wait_s` is how long to wait for the first message, 20 s at most. Each batch is in the inbox before its messages
        are deleted.

        Raises:
            OutsideError: the queue or the index database is away, or refuses the credentials.
        """
        deadline = time.monotonic() + within_s
        messages = keys = set_aside = 0
        passed_over = Counter[str]()
        while batch := self._receive(wait_s if not messages else 0):
            read = [noticed for message in batch if (noticed := self._read(message))]
            noticed_keys = {key for noticed in read for key in noticed.keys}
            self._inbox.put(noticed_keys, why=EVENT)
            self._delete(batch)
            messages, keys, set_aside = (
                messages + len(batch),
                keys + len(noticed_keys),
                set_aside + len(batch) - len(read),
            )
            for noticed in read:
                passed_over.update(noticed.passed_over)
            if time.monotonic() > deadline:
                break
        return QueueReading(messages, keys, set_aside, passed_over)

    def waiting(self) -> int:
        """Return about how many messages wait in the queue.

        Raises:
            OutsideError: the queue is away, or the credentials may not ask (sqs:GetQueueAttributes).
        """
        name = "ApproximateNumberOfMessages"
        with self._asked() as client:
            return int(client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])["Attributes"][name])

    def _receive(self, wait_s: int) -> Sequence[Mapping[str, Any]]:
        with self._asked() as client:
            answer: Mapping[str, Any] = client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=_HIDDEN_S,
            )
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages", [])
        return messages

    def _read(self, message: Mapping[str, Any]) -> NoticedKeys | None:
        body = message["Body"]
        try:
            return read_events(body, bucket=self._bucket, prefix=self._prefix)
        except BadInput as error:
            self._inbox.set_aside(body, source=self.name, name=message["MessageId"], reason=str(error))
            return None

    def _delete(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Delete messages; those that the queue keeps for some reason come again, which does no harm."""
        entries = [{"Id": str(place), "ReceiptHandle": each["ReceiptHandle"]} for place, each in enumerate(batch)]
        with self._asked() as client:
            client.delete_message_batch(QueueUrl=self._url, Entries=entries)

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """Give this process's client; what goes wrong with it is an OutsideError that says what to do."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            yield self._client()
        except ClientError as error:
            self._client.forget()  # the next client reads the credentials anew
            raise OutsideError(self._say(str(error.response.get("Error", {}).get("Code")))) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise OutsideError(self._say(type(error).__name__)) from error

    def _say(self, code: str) -> str:
        advice = _ADVICE.get(_SAME.get(code, code), "It is tried again")
        return f"the queue {self.name} at {urlsplit(self._url).netloc} cannot be used ({code}). {advice}"


def _new_client(url: str) -> Any:
    import boto3
    from botocore.config import Config

    parts = urlsplit(url)
    named = _REGION.search(parts.hostname or "")
    region = (named[1] or named[2]) if named else boto3.session.Session().region_name or "us-east-1"
    config = Config(
        connect_timeout=5, read_timeout=LONGEST_WAIT_S + 10, retries={"mode": "standard", "max_attempts": 3}
    )
    session = boto3.session.Session()  # one of its own: the default session is shared by threads
    return session.client("sqs", endpoint_url=f"{parts.scheme}://{parts.netloc}", region_name=region, config=config)

"""Read which objects of the bucket a message of S3 names.

Three shapes are read: the notification that S3 sends to a queue, the same inside of a message of SNS, and an event of
EventBridge. S3 writes keys as forms do (`a b+ü.txt` is `a+b%2B%C3%BC.txt`), EventBridge writes them plainly (Amazon S3
User Guide, "Event message structure"; EventBridge, "Amazon S3 events").

A message only says "look at this key". What it says about sizes, versions and the order of events is not used: messages
arrive twice, late and in any order, and anybody who may write to the queue can send one. So a key is looked at in the
bucket, and the ledger decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from ingest_assets.buckets.contract import hides
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import nfc, require_possible_key

MAX_BODY_BYTES = 1 << 20
"""SQS takes no larger message."""
_LOOKED_AT = ("ObjectCreated:", "ObjectRemoved:", "LifecycleExpiration:")
_EVENTBRIDGE_LOOKED_AT = ("Object Created", "Object Deleted")
_TEST = "s3:TestEvent"
_READ_VERSION = "2"
"""The major version of a notification. S3 raises the minor one when it adds fields."""
_SHOWN = 100
"""Characters shown of a name that somebody else wrote."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NoticedKeys:
    """What one message says."""

    keys: tuple[str, ...]
    """Keys below the bucket's prefix to look at, each once, in the order of the message."""
    passed_over: Mapping[str, int]
    """What else the message told, by a name for people, with the number of events."""


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: str


class _S3(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct, rename="camel"):
    event_version: Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+$")]
    event_name: str
    s3: _S3


class _Detail(msgspec.Struct):
    bucket: _Bucket
    object: _Object


@dataclass(frozen=True, slots=True)
class _Event:
    """One event of any shape."""

    name: str
    is_looked_at: bool
    bucket: str
    key: str


def read_events(body: str, *, bucket: str, prefix: str) -> NoticedKeys:
    """Return the keys that a message names in a bucket, below a prefix (`""` or one that ends in a slash).

    Raises:
        BadInput: the message is of no shape that is read, or a part of it is malformed; nothing of it is used.
    """
    keys: dict[str, None] = {}
    passed_over = Counter[str]()
    for event in _events(body):
        if not event.is_looked_at:
            passed_over[event.name] += 1
        elif event.bucket != bucket:
            passed_over[f"bucket {_shown(event.bucket)}"] += 1
        elif not event.key.startswith(prefix):
            passed_over[f"outside of {prefix}"] += 1
        elif event.key.endswith("/"):
            passed_over["folders"] += 1
        elif hides(event.key.removeprefix(prefix)):  # such as an upload that has no key yet
            passed_over["names that are passed over"] += 1
        else:
            keys[_key_below(prefix, event.key)] = None
    return NoticedKeys(tuple(keys), passed_over)


def _events(body: str) -> Iterator[_Event]:
    message = _object_in(body)
    if message.get("Type") == "Notification" and "Message" in message:
        message = _object_in(_converted(message["Message"], str, "Message"), within="the message of SNS: ")
    if message.get("Event") == _TEST and "Records" not in message:
        yield _Event(_TEST, is_looked_at=False, bucket="", key="")
    elif "Records" in message:
        for record in _converted(message["Records"], list[_Record], "Records"):
            yield _of_notification(record)
    elif message.get("source") == "aws.s3" and "detail" in message:
        yield _of_eventbridge(message)
    elif message.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        raise BadInput(
            f"SNS asks for a confirmation ({message['Type']}); an operator confirms it in the console of SNS"
        )
    else:
        names = ", ".join(_shown(str(name)) for name in list(message)[:5]) or "nothing"
        raise BadInput(f"it is no notification of S3, SNS or EventBridge: it holds {names}")


def _object_in(text: str, *, within: str = "") -> dict[str, Any]:
    if len(text) > MAX_BODY_BYTES:
        raise BadInput(f"{within}it is longer than {MAX_BODY_BYTES} characters")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadInput(f"{within}it is no object in JSON ({error})") from error


def _converted(value: Any, shape: type[T], name: str) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise BadInput(f"{name}: {error}") from error


def _of_notification(record: _Record) -> _Event:
    if record.event_version.partition(".")[0] != _READ_VERSION:
        raise BadInput(f"eventVersion {_shown(record.event_version)} is not read; {_READ_VERSION}.x is")
    name = record.event_name.removeprefix("s3:")  # MinIO and older Ceph write the prefix, S3 does not
    try:
        key = unquote_to_bytes(record.s3.object.key.replace("+", " ")).decode()
    except UnicodeError as error:
        raise BadInput("a key is not valid UTF-8") from error
    return _Event(_shown(name), is_looked_at=name.startswith(_LOOKED_AT), bucket=record.s3.bucket.name, key=key)


def _of_eventbridge(message: Mapping[str, Any]) -> _Event:
    name = _converted(message.get("detail-type"), str, "detail-type")
    if name not in _EVENTBRIDGE_LOOKED_AT:
        return _Event(_shown(name), is_looked_at=False, bucket="", key="")
    detail = _converted(message["detail"], _Detail, "detail")
    return _Event(name, is_looked_at=True, bucket=detail.bucket.name, key=detail.object.key)


def _key_below(prefix: str, stored: str) -> str:
    key = nfc(stored.removeprefix(prefix))
    require_possible_key(key)
    return key


def _shown(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    return printable if len(printable) <= _SHOWN else f"{printable[:_SHOWN]}…"

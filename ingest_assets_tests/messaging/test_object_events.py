"""Test what is read from messages of S3, SNS and EventBridge, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ingest_assets.errors import BadInput
from ingest_assets.messaging.object_events import MAX_BODY_BYTES, NoticedKeys, read_events
from ingest_assets_tests.messaging.event_bodies import TEST_EVENT, eventbridge, notification, record, through_sns


def read(body: str, *, prefix: str = "") -> NoticedKeys:
    return read_events(body, bucket="team-files", prefix=prefix)


def test_created_and_removed_objects_are_looked_at_each_once_in_their_order() -> None:
    body = notification(
        record("ann/p/b.txt"),
        record("ann/p/a.txt", event="ObjectRemoved:Delete"),
        record("ann/p/b.txt", event="ObjectCreated:CompleteMultipartUpload"),
        record("ann/p/c.txt", event="ObjectRemoved:DeleteMarkerCreated"),
        record("ann/p/d.txt", event="LifecycleExpiration:Delete"),
    )
    assert read(body) == NoticedKeys(("ann/p/b.txt", "ann/p/a.txt", "ann/p/c.txt", "ann/p/d.txt"), {})


@pytest.mark.parametrize(
    "key", ["ann/p/a b+ü,1.txt", "ann/p/100% & more.txt", "ann/p/📄.txt", "ann/p/a%20b.txt", "ann/p/line\nbreak.txt"]
)
def test_keys_arrive_as_they_were_uploaded(key: str) -> None:
    bodies = [notification(record(key)), through_sns(notification(record(key))), eventbridge(key)]
    assert [read(body).keys for body in [*bodies, through_sns(eventbridge(key))]] == [(key,)] * 4


def test_a_key_in_decomposed_letters_is_the_composed_name() -> None:
    assert read(eventbridge("ann/p/Gescha\u0308ft.txt")).keys == ("ann/p/Gesch\u00e4ft.txt",)


def test_the_test_event_says_nothing() -> None:
    for body in (TEST_EVENT, through_sns(TEST_EVENT)):
        assert read(body) == NoticedKeys((), {"s3:TestEvent": 1})


def test_names_with_the_prefix_that_minio_writes_are_read() -> None:
    assert read(notification(record("ann/p/a.txt", event="s3:ObjectCreated:Put"))).keys == ("ann/p/a.txt",)


def test_events_that_change_no_file_are_passed_over_by_name() -> None:
    body = notification(record("a", event="ObjectTagging:Put"), record("b", event="ObjectTagging:Put"))
    assert read(body) == NoticedKeys((), {"ObjectTagging:Put": 2})
    assert read(eventbridge("a", kind="Object Tags Added")) == NoticedKeys((), {"Object Tags Added": 1})


def test_what_lies_outside_of_the_bucket_and_its_prefix_is_counted_by_name() -> None:
    body = notification(
        record("docs/ann/p/a.txt"),
        record("ann/p/a.txt"),
        record("docs-old/ann/p/a.txt"),
        record("docs/"),
        record("docs/ann/p/a.txt", bucket="others"),
        record("docs/ann/p/"),
    )
    assert read(body, prefix="docs/") == NoticedKeys(
        ("ann/p/a.txt",), {"outside of docs/": 2, "bucket others": 1, "folders": 2}
    )


def test_an_upload_that_has_no_key_yet_is_passed_over() -> None:
    body = notification(record("docs/.ingest-staging/9f2c"), record("docs/ann/p/a.part"), record("docs/ann/p/a.txt"))
    assert read(body, prefix="docs/") == NoticedKeys(("ann/p/a.txt",), {"names that are passed over": 2})


def test_only_the_major_version_counts() -> None:
    assert read(notification(record("ann/p/a.txt", eventVersion="2.99"))).keys == ("ann/p/a.txt",)
    with pytest.raises(BadInput, match=r"eventVersion 3\.0 is not read"):
        read(notification(record("ann/p/a.txt", eventVersion="3.0")))


def with_key(stored: object) -> str:
    event = record("a")
    event["s3"]["object"]["key"] = stored
    return notification(event)


REFUSED = {
    "empty": ("", "no object in JSON"),
    "no JSON": ("a b c", "no object in JSON"),
    "half a message": (notification(record("a"))[:-9], "no object in JSON"),
    "a list": ("[]", "Expected `object`"),
    "deep nesting": ('{"Records":' + "[" * 100_000, "no object in JSON"),
    "a lone surrogate": ('{"Records":[{"eventName":"\\ud800"}]}', "no object in JSON"),
    "another service": ('{"hello": 1, "Records2": []}', "it holds hello, Records2"),
    "nothing": ("{}", "it holds nothing"),
    "records of a wrong type": ('{"Records": {"a": 1}}', "Records: Expected `array`"),
    "a record of a wrong type": ('{"Records": ["a"]}', r"\$\[0\]"),
    "a record without a key": (notification({**record("a"), "s3": {"bucket": {"name": "b"}, "object": {}}}), "`key`"),
    "a key that is a number": (with_key(7), r"Expected `str`, got `int` - at `\$\[0\]\.s3\.object\.key`"),
    "a key that is no UTF-8": (with_key("%ff%fe"), "not valid UTF-8"),
    "a key of 1,025 bytes": (with_key("k" * 1025), "1025 bytes"),
    "a key with a NUL": (with_key("ann/p/a%00.txt"), "NUL"),
    "an empty key": (with_key(""), "is empty"),
    "a version that is a word": (notification(record("a", eventVersion="latest")), "eventVersion"),
    "too long": ('{"Records": [], "x": "' + "x" * MAX_BODY_BYTES + '"}', "longer than"),
    "SNS in SNS": (through_sns(through_sns(notification(record("a")))), "it is no notification"),
    "a message of SNS that is a number": ('{"Type":"Notification","Message":5}', "Message: Expected `str`"),
    "a subscription": ('{"Type":"SubscriptionConfirmation","SubscribeURL":"https://x"}', "asks for a confirmation"),
    "a type that is a list": ('{"Type":["Notification"]}', "it holds Type"),
    "EventBridge without an object": (
        '{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"team-files"}}}',
        "detail: .*`object`",
    ),
    "EventBridge without a type": ('{"source":"aws.s3","detail":{}}', "detail-type"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_message_that_is_malformed_is_refused_with_what_is_wrong(body: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as refused:
        read(body)
    assert len(str(refused.value)) < 600


def test_one_malformed_event_refuses_the_whole_message() -> None:
    with pytest.raises(BadInput, match=r"\$\[1\]"):
        read(notification(record("ann/p/a.txt"), {"eventName": "ObjectCreated:Put"}))


def test_a_refusal_never_shows_control_characters_of_the_message() -> None:
    with pytest.raises(BadInput) as refused:
        read(json.dumps({"\x1b[2J" + "x" * 1000: 1}))
    assert "\x1b" not in str(refused.value)


ANY_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def mutated(draw: some.DrawFn) -> Any:
    """Take a message that is right and put any JSON at one place of it."""
    message = json.loads(
        draw(some.sampled_from([notification(record("ann/p/a")), eventbridge("a"), through_sns("{}")]))
    )
    place: Any = message
    while True:
        name = draw(some.sampled_from(sorted(place))) if isinstance(place, dict) else 0
        if isinstance(place[name], dict | list) and place[name] and draw(some.booleans()):
            place = place[name]
            continue
        place[name] = draw(ANY_JSON)
        return message


@given(some.one_of(some.text(), ANY_JSON.map(json.dumps), some.composite(mutated)().map(json.dumps)))
def test_whatever_a_message_holds_it_gives_keys_or_is_refused(body: str) -> None:
    try:
        found = read(body, prefix="ann/")
    except BadInput:
        return
    assert all(0 < len(key.encode()) <= 1024 for key in found.keys)

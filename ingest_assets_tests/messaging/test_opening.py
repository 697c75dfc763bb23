"""Test that the queue is opened for the bucket and prefix that the settings name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest_assets.config.settings import Settings
from ingest_assets.index.database import Database
from ingest_assets.messaging.inbox import Inbox
from ingest_assets.messaging.opening import open_event_queue

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/uploads"


def settings(home: Path, **values: str) -> Settings:
    return Settings.model_validate({"DAGSTER_HOME": home, **values})


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [("s3://files", ""), ("s3://files/", ""), ("s3://files/a/b", "a/b/"), ("s3://files/a/b/", "a/b/")],
)
def test_the_queue_knows_bucket_and_prefix(tmp_path: Path, bucket: str, prefix: str) -> None:
    inbox = Inbox(Database(f"sqlite:///{tmp_path}/index.db"))
    queue = open_event_queue(settings(tmp_path, INGEST_BUCKET=bucket, INGEST_EVENTS_QUEUE=QUEUE), inbox=inbox)
    assert queue is not None
    assert (queue.name, queue._bucket, queue._prefix) == ("uploads", "files", prefix)


def test_without_the_setting_there_is_no_queue(tmp_path: Path) -> None:
    inbox = Inbox(Database(f"sqlite:///{tmp_path}/index.db"))
    assert open_event_queue(settings(tmp_path, INGEST_BUCKET="s3://files"), inbox=inbox) is None


def test_a_queue_for_a_bucket_that_sends_no_events_to_sqs_is_refused(tmp_path: Path) -> None:
    for bucket in ("", "gs://files", "/data/bucket"):
        with pytest.raises(ValidationError, match="INGEST_BUCKET is no s3:// bucket"):
            settings(tmp_path, INGEST_BUCKET=bucket, INGEST_EVENTS_QUEUE=QUEUE)


@pytest.mark.parametrize("url", ["uploads", "sqs://host/1/q", "https://host", "https://user:pw@host/1/q", f"{QUEUE}/"])
def test_what_is_no_url_of_a_queue_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="INGEST_EVENTS_QUEUE"):
        settings(tmp_path, INGEST_BUCKET="s3://files", INGEST_EVENTS_QUEUE=url)

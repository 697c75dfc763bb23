"""Write messages as S3, SNS and EventBridge write them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

BUCKET = "team-files"


def record(key: str, *, event: str = "ObjectCreated:Put", bucket: str = BUCKET, **changes: Any) -> dict[str, Any]:
    """Return one event of a notification."""
    stored = {"key": quote_plus(key), "size": 12, "eTag": "0cc175b9c0f1b6a831c399e269772661", "sequencer": "0055AED6DC"}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-30T00:00:00.000Z",
        "eventName": event,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": stored},
        **changes,
    }


def notification(*records: dict[str, Any]) -> str:
    """Return what S3 sends to a queue."""
    return json.dumps({"Records": list(records)})


def through_sns(message: str) -> str:
    """Return what SNS makes of a message when raw delivery is off."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:uploads",
            "Subject": "Amazon S3 Notification",
            "Message": message,
            "Timestamp": "2026-11-30T00:00:00.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
        }
    )


def eventbridge(key: str, *, kind: str = "Object Created", bucket: str = BUCKET) -> str:
    """Return what EventBridge sends to a queue."""
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": kind,
            "source": "aws.s3",
            "account": "123456789012",
            "time": "2026-11-30T00:00:00Z",
            "region": "eu-central-1",
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket},
                "object": {"key": key, "size": 5},
                "reason": "PutObject",
            },
        }
    )


TEST_EVENT = json.dumps(
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-30T00:00:00.000Z", "Bucket": BUCKET}
)

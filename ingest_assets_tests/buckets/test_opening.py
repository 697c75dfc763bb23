from __future__ import annotations

import sys

import pytest

from ingest_assets.buckets.gcs import GcsObjects
from ingest_assets.buckets.opening import open_bucket
from ingest_assets.config.settings import load_settings
from ingest_assets.defs.resources import storage_resources
from ingest_assets.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "is_whole"),
    [("/srv/files", False), ("file:///srv/files", False), ("s3://files", True), ("gs://files/x", True)],
)
def test_opening_a_bucket_asks_no_service_and_loads_no_library(url: str, is_whole: bool) -> None:
    before = set(sys.modules)
    assert open_bucket(load_settings({"INGEST_BUCKET": url})).is_whole_when_seen is is_whole
    loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not loaded & {"boto3", "botocore", "google", "requests"}


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.api_core.exceptions", None)
    with pytest.raises(ConfigError, match=r"gs://files: .*ingest-assets\[gcs\]"):
        GcsObjects("files").head("a")


def test_dagster_shows_the_service_and_no_credentials() -> None:
    chosen = {"INGEST_BUCKET": "s3://files", "INGEST_S3_ENDPOINT": "https://minio.internal:9000"}
    (shown,) = storage_resources(load_settings(chosen)).values()
    assert shown.endpoint_url == "https://minio.internal:9000"
    assert shown.aws_secret_access_key is None
    assert storage_resources(load_settings({"INGEST_BUCKET": "gs://files"})) == {}

"""A location is a key of the bucket, or lies in a place that the operator allows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ingest_assets.buckets.opening import open_bucket
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput
from ingest_assets.uploads.locations import Location, copy_into, read_location
from testing.object_storage import gcs_server, s3_server


def settings(**given: object) -> Settings:
    usual = {"INGEST_BUCKET": "s3://docs/up", "INGEST_LOCATIONS": "gs://else/in, s3://o/p/"}
    return Settings.model_validate(usual | given)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A bucket that is not the project's."""

    url: str
    environment: dict[str, str]
    write: Callable[[str, bytes], object]


@pytest.fixture(params=["s3", "gcs"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """A bucket on a real server."""
    with (s3_server if request.param == "s3" else gcs_server)(tmp_path / "server") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        bucket, client = server.new_bucket(), server.client()
        if request.param == "s3":
            put = partial(client.put_object, Bucket=bucket)
            yield Elsewhere(f"s3://{bucket}", server.environment, lambda name, data: put(Key=name, Body=data))
        else:
            blob = client.bucket(bucket).blob
            yield Elsewhere(
                f"gs://{bucket}", server.environment, lambda name, data: blob(name).upload_from_string(data)
            )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann/p/a.pdf", Location(key="ann/p/a.pdf")),
        ("/ann/p/a.pdf", Location(key="ann/p/a.pdf")),
        ("s3://docs/up/ann/p/a.pdf", Location(key="ann/p/a.pdf")),
        ("gs://else/in/x/a.pdf", Location(url="gs://else/in/x/a.pdf")),
        ("s3://o/p/a.pdf", Location(url="s3://o/p/a.pdf")),
    ],
)
def test_keys_and_allowed_places_are_read(text: str, expected: Location) -> None:
    found = read_location(text, settings=settings())
    assert found == expected
    assert found.name == "a.pdf"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs://else/inner/a.pdf", "in no place of INGEST_LOCATIONS"),
        ("s3://else/in/a.pdf", "in no place of INGEST_LOCATIONS"),
        ("gs://else/in/../secret/a.pdf", "a segment of it is `..`"),
        ("gs://else/in/folder/", "names a folder"),
        ("https://example.org/a.pdf", "write s3://"),
        ("file:///etc/passwd", "write s3://"),
        ("", "the key is empty"),
        ("a\0b", "NUL"),
    ],
)
def test_everything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_location(text, settings=settings())


def test_without_the_setting_nothing_outside_of_the_bucket_is_read() -> None:
    with pytest.raises(BadInput, match="INGEST_LOCATIONS"):
        read_location("s3://o/p/a.pdf", settings=settings(INGEST_LOCATIONS=""))


@pytest.mark.slow
def test_an_object_is_copied_unseen_and_no_copy_stays_in_the_spool(elsewhere: Elsewhere, tmp_path: Path) -> None:
    data = b"words " * 2_000_000
    elsewhere.write("in/a.txt", data)
    chosen = settings(
        INGEST_BUCKET=str(tmp_path / "bucket"),
        INGEST_SPOOL=str(tmp_path / "spool"),
        INGEST_LOCATIONS=f"{elsewhere.url}/in",
        **{name: value for name, value in elsewhere.environment.items() if name.startswith("INGEST_")},
    )
    bucket = open_bucket(chosen)
    bucket.prepare()
    received = copy_into(bucket, f"{elsewhere.url}/in/a.txt", "ann/p/a.txt", settings=chosen)
    assert (received.size_bytes, received.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert list(bucket.list()) == []
    received.staged.publish("ann/p/a.txt")
    with bucket.local("ann/p/a.txt") as path:
        assert path.read_bytes() == data
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [".lock"]
    elsewhere.write("in/empty.txt", b"")
    small = chosen.model_copy(update={"max_file_mb": 1})
    for name, given, said in (
        ("b.txt", chosen, "there is no such object"),
        ("empty.txt", chosen, "it is empty"),
        ("a.txt", small, "more than MAX_FILE_MB"),
    ):
        with pytest.raises(BadInput, match=said):
            copy_into(bucket, f"{elsewhere.url}/in/{name}", f"ann/p/{name}", settings=given)

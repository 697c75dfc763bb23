"""Provide every kind of bucket that the contract is tested on, each on its real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.object_store import ObjectStore
from ingest_assets.buckets.opening import open_bucket, open_objects
from ingest_assets.config.settings import load_settings
from testing.object_storage import GcsServer, S3Server, gcs_server, s3_server


@dataclass(frozen=True, slots=True)
class Place:
    """An empty bucket of one kind."""

    url: str
    environment: dict[str, str]
    write: Callable[[str, bytes], None]
    """Writes an object under its stored key, behind the bucket's back."""
    clear: Callable[[], None]
    """Removes every object, and the mark."""
    spool: Path

    def open(self, **chosen: str) -> Bucket:
        given = {"INGEST_BUCKET": self.url, "INGEST_SPOOL": str(self.spool)} | _ours(self.environment) | chosen
        return open_bucket(load_settings(given))

    def objects(self) -> ObjectStore:
        found = open_objects(self.url, endpoint=self.environment.get("INGEST_S3_ENDPOINT", ""))
        assert found is not None
        return found


def _ours(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("INGEST_")}


ON_SERVERS = [pytest.param("on_s3", marks=pytest.mark.slow), pytest.param("on_gcs", marks=pytest.mark.slow)]


@pytest.fixture(params=["in_a_folder", *ON_SERVERS])
def place(request: pytest.FixtureRequest) -> Place:
    """Every kind of bucket in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=ON_SERVERS)
def object_place(request: pytest.FixtureRequest) -> Place:
    """Every object store in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bucket(place: Place) -> Bucket:
    opened = place.open()
    opened.prepare()
    return opened


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    with gcs_server(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
def in_a_folder(tmp_path: Path) -> Place:
    root = tmp_path / "bucket"

    def write(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)

    def clear() -> None:
        for path in sorted(root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    return Place(str(root), {}, write, clear, tmp_path / "spool")


@pytest.fixture
def on_s3(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    use(s3.environment, monkeypatch)
    name, client = s3.new_bucket(), s3.client()

    def clear() -> None:
        for found in client.list_objects_v2(Bucket=name).get("Contents", []):
            client.delete_object(Bucket=name, Key=found["Key"])

    return Place(
        f"s3://{name}/up/loads",
        s3.environment,
        lambda key, data: client.put_object(Bucket=name, Key=f"up/loads/{key}", Body=data),
        clear,
        tmp_path / "spool",
    )


@pytest.fixture
def on_gcs(gcs: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    use(gcs.environment, monkeypatch)
    name = gcs.new_bucket()
    bucket = gcs.client().bucket(name)

    def clear() -> None:
        for blob in bucket.list_blobs():
            blob.delete()

    return Place(
        f"gs://{name}/up/loads",
        gcs.environment,
        lambda key, data: bucket.blob(f"up/loads/{key}").upload_from_string(data),
        clear,
        tmp_path / "spool",
    )


def use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

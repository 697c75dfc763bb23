"""What S3 and Google Cloud Storage promise to buckets and artifacts, and what is said when they fail."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest_assets.buckets.gcs import GcsObjects
from ingest_assets.buckets.object_store import LARGE_BYTES, ObjectChanged, ObjectStore
from ingest_assets.buckets.s3 import S3Objects
from ingest_assets.errors import OutsideError
from ingest_assets_tests.buckets.conftest import Place, use
from testing.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from testing.object_storage import S3Server

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def objects(object_place: Place) -> ObjectStore:
    return object_place.objects()


def downloaded(objects: ObjectStore, name: str) -> bytes:
    found, into = objects.head(name), io.BytesIO()
    assert found is not None
    objects.download(found, into)
    return into.getvalue()


def test_small_objects_are_written_read_and_removed(objects: ObjectStore) -> None:
    assert objects.read("a/b") is None
    objects.write("a/b", b"one")
    objects.write("a/b", b"two")
    assert objects.read("a/b") == b"two"
    objects.delete(["a/b", "a/never"])
    assert objects.read("a/b") is None
    assert objects.head("a/b") is None


def test_only_one_of_two_creates_an_object(objects: ObjectStore) -> None:
    assert objects.create("mark", b"first")
    assert not objects.create("mark", b"second")
    assert objects.read("mark") == b"first"


def test_names_that_services_find_hard_are_listed_as_they_are_and_read(
    objects: ObjectStore, object_place: Place
) -> None:
    names = ["a/../b", "a//b", "/lead", "a/./b", "x" * 900, "a/\x01b", "a+b %2F?#&=", "two\nlines", "ü", "\U0001f600"]
    for name in names:
        object_place.write(name, name.encode())
    assert [each.name for each in objects.list()] == sorted(names, key=str.encode)
    for name in names:
        assert downloaded(objects, name) == name.encode()


def test_another_prefix_sees_nothing_of_this_one(objects: ObjectStore, object_place: Place) -> None:
    objects.write("a", b"1")
    url = object_place.url.removesuffix("loads") + "load"  # `load` is the beginning of `loads`, and no folder above it
    other = type(objects)(*url.partition("://")[2].split("/", 1), **_endpoint(object_place))
    assert list(other.list()) == []
    assert other.head("s/a") is None


def _endpoint(place: Place) -> dict[str, str]:
    found = place.environment.get("INGEST_S3_ENDPOINT")
    return {"endpoint": found} if found else {}


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(objects: ObjectStore, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * (2 * LARGE_BYTES // (1 << 20)) + b"the end"
    (tmp_path / "large").write_bytes(data)
    stored = objects.upload("large", tmp_path / "large")
    assert stored == objects.head("large")
    assert stored.size_bytes == len(data)
    assert downloaded(objects, "large") == data


def test_a_version_that_was_replaced_or_removed_is_not_read(objects: ObjectStore) -> None:
    objects.write("a", b"one")
    found = objects.head("a")
    assert found is not None
    objects.write("a", b"two")
    with pytest.raises(ObjectChanged):
        objects.download(found, io.BytesIO())
    objects.delete(["a"])
    with pytest.raises(ObjectChanged):
        objects.download(found, io.BytesIO())


def test_more_objects_than_one_answer_holds_are_listed_in_order(objects: ObjectStore, object_place: Place) -> None:
    names = [f"{number:05}" for number in range(1_030)]
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda name: object_place.write(name, b"x"), names))
    assert [each.name for each in objects.list()] == names
    assert [each.name for each in objects.list(after="00998")] == names[999:]
    assert [each.name for each in objects.list(beginning="0102")] == names[1020:]


KILLED = """
import http.client, os, signal, sys
from pathlib import Path
from ingest_assets.config.settings import load_settings
from ingest_assets.buckets.opening import open_bucket
bucket = open_bucket(load_settings())
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
send, requests = http.client.HTTPConnection.endheaders, []
def counted(self, *arguments, **options):
    requests.append(1)
    return die() if len(requests) > int(sys.argv[1]) else send(self, *arguments, **options)
http.client.HTTPConnection.endheaders = counted
bucket.put("ann/p/large", Path(sys.argv[2]))
"""


def test_a_kill_during_an_upload_leaves_the_old_object_or_the_new_one(object_place: Place, tmp_path: Path) -> None:
    bucket, source = object_place.open(), tmp_path / "large"
    bucket.prepare()
    source.write_bytes(b"old")
    bucket.put("ann/p/large", source)
    source.write_bytes(b"new" + bytes(LARGE_BYTES))  # two parts
    environment = os.environ | {"INGEST_BUCKET": object_place.url, "INGEST_SPOOL": str(object_place.spool)}
    seen = []
    for requests in range(2, 14):
        command = [sys.executable, "-c", KILLED, str(requests), str(source)]
        done = subprocess.run(command, cwd=ROOT, env=environment, timeout=120, capture_output=True, check=False)
        with bucket.local("ann/p/large") as path:
            seen.append(path.stat().st_size)
        if done.returncode == 0:
            break
    assert set(seen) == {3, 3 + LARGE_BYTES}
    assert seen[-1] == 3 + LARGE_BYTES
    assert [item.key for item in bucket.list()] == ["ann/p/large"]


MEASURED = """
from resource import RUSAGE_SELF, getrusage
from ingest_assets.config.settings import load_settings
from ingest_assets.buckets.opening import open_bucket
bucket = open_bucket(load_settings())
with bucket.local("small"):
    before = getrusage(RUSAGE_SELF).ru_maxrss
with bucket.local("large") as path:
    assert path.stat().st_size == 200_000_000
print((getrusage(RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_a_download_needs_no_more_memory_than_32_mb(object_place: Place, tmp_path: Path) -> None:
    bucket = object_place.open()
    bucket.prepare()
    for name, size in (("small", 1000), ("large", 200_000_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        bucket.put(name, tmp_path / name)
    environment = os.environ | {"INGEST_BUCKET": object_place.url, "INGEST_SPOOL": str(object_place.spool)}
    command = [sys.executable, "-c", MEASURED]
    done = subprocess.run(command, cwd=ROOT, env=environment, timeout=300, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 32


# What goes wrong on the wire of S3


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    use(s3.environment, monkeypatch)
    with faulty_proxy(s3.port) as running:
        yield running


@pytest.fixture
def behind(proxy: FaultyProxy, s3: S3Server) -> S3Objects:
    """An object store behind the proxy, with one object `a` of three blocks."""
    objects = S3Objects(s3.new_bucket(), "up", endpoint=proxy.url)
    objects.write("a", DATA)
    return objects


DATA = bytes(range(256)) * (3 << 12)


def answering(method: str, part: str, *faults: Fault) -> Callable[[str, str], Fault | None]:
    """Give the faults, one after the other, to requests of this method whose path holds a part."""
    left = iter(faults)
    return lambda asked, path: next(left, None) if asked == method and part in path else None


def refusal(status: int, code: str) -> Fault:
    return Fault(status, f"<Error><Code>{code}</Code><Message>no: SECRET</Message></Error>".encode())


@pytest.mark.parametrize(
    ("status", "code", "todo"),
    [
        (403, "AccessDenied", "s3:ListBucket"),
        (404, "NoSuchBucket", "Nothing is removed for it"),
        (400, "ExpiredToken", "Renew them"),
        (403, "InvalidAccessKeyId", "Renew them"),
        (403, "SignatureDoesNotMatch", "secret key"),
        (403, "RequestTimeTooSkewed", "clock"),
        (301, "PermanentRedirect", "AWS_REGION"),
    ],
)
def test_a_refused_listing_says_what_where_and_what_to_do(
    proxy: FaultyProxy, behind: S3Objects, status: int, code: str, todo: str
) -> None:
    proxy.fault_for = lambda method, path: refusal(status, code) if "list-type" in path else None
    with pytest.raises(OutsideError) as caught:
        list(behind.list())
    said = str(caught.value)
    assert code in said
    assert todo in said
    assert behind.place in said
    assert "SECRET" not in said


def test_credentials_that_have_expired_are_read_anew_by_the_next_try(
    proxy: FaultyProxy, behind: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.fault_for = answering("GET", "list-type", refusal(400, "ExpiredToken"))
    with pytest.raises(OutsideError, match="ExpiredToken"):
        list(behind.list())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")
    assert [each.name for each in behind.list()] == ["a"]
    assert "Credential=test/" in proxy.authorizations[-2]
    assert "Credential=renewed/" in proxy.authorizations[-1]


def test_throttling_is_waited_out_and_named_if_it_does_not_end(proxy: FaultyProxy, behind: S3Objects) -> None:
    proxy.fault_for = answering("GET", "list-type", refusal(503, "SlowDown"), refusal(503, "SlowDown"))
    assert [each.name for each in behind.list()] == ["a"]
    proxy.fault_for = lambda method, path: refusal(503, "SlowDown") if "list-type" in path else None
    with pytest.raises(OutsideError, match="fewer requests"):
        list(behind.list())


def test_a_listing_that_ends_half_way_raises(proxy: FaultyProxy, behind: S3Objects) -> None:
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda number: behind.write(f"b{number:05}", b"x"), range(1_001)))
    proxy.fault_for = lambda method, path: refusal(403, "AccessDenied") if "start-after" in path else None
    seen = []
    with pytest.raises(OutsideError, match="AccessDenied"):
        for found in behind.list():
            seen.append(found)  # noqa: PERF402  # what came before the error counts
    assert len(seen) == 1000


@pytest.mark.parametrize("body", [b"<html>Sign in to this network</html>", b"", b"{}"])
def test_an_answer_that_is_not_of_s3_is_no_empty_bucket(proxy: FaultyProxy, behind: S3Objects, body: bytes) -> None:
    proxy.fault_for = lambda method, path: Fault(200, body) if "list-type" in path else None
    with pytest.raises(OutsideError):
        list(behind.list())


def test_a_broken_connection_is_taken_up_where_it_broke(proxy: FaultyProxy, behind: S3Objects) -> None:
    found, into = behind.head("a"), io.BytesIO()
    assert found is not None
    proxy.fault_for = answering("GET", "/a", Fault(cut_at=2_000_000))
    behind.download(found, into)
    assert into.getvalue() == DATA
    assert len([path for method, path in proxy.requests if method == "GET" and path.endswith("/a")]) == 2


def test_an_object_that_changes_between_two_connections_is_seen(proxy: FaultyProxy, behind: S3Objects) -> None:
    found = behind.head("a")
    assert found is not None

    def written_over(data: bytes) -> bytes:
        behind.write("a", b"other")
        return data

    def change(method: str, path: str) -> Fault | None:
        if method == "GET" and path.endswith("/a"):
            proxy.fault_for = lambda method, path: None
            return Fault(cut_at=2_000_000, change=written_over)
        return None

    proxy.fault_for = change
    with pytest.raises(ObjectChanged):
        behind.download(found, io.BytesIO())


def test_bytes_that_were_changed_on_the_way_are_not_read(proxy: FaultyProxy, behind: S3Objects) -> None:
    found = behind.head("a")
    assert found is not None
    proxy.fault_for = lambda method, path: Fault(change=lambda data: data[:-1] + b"?") if method == "GET" else None
    with pytest.raises(OutsideError, match="other bytes arrived"):
        behind.download(found, io.BytesIO())


def test_a_service_that_is_away_is_named_with_its_address(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(s3.environment, monkeypatch)
    with pytest.raises(OutsideError, match=r"s3://files at http://127\.0\.0\.1:9 .*INGEST_S3_ENDPOINT"):
        list(S3Objects("files", endpoint="http://127.0.0.1:9").list())


def test_missing_credentials_are_named(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(
        s3.environment | {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_CONFIG_FILE": "/nonexistent"}, monkeypatch
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(OutsideError, match="AWS_ACCESS_KEY_ID"):
        list(S3Objects("files", endpoint=s3.url).list())


def test_google_refusals_say_what_to_do(on_gcs: Place) -> None:
    with pytest.raises(OutsideError, match=r"gs://no-such-bucket.*NotFound.*Make it"):
        list(GcsObjects("no-such-bucket").list())

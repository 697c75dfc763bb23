"""Test events end to end: a real S3 with its queue, the real daemon, and `ingest listen` beside it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.ledger_records import State
from testing.object_storage import s3_server
from testing.polling import until
from testing.watched_bucket import BIN, ROOT, WatchedBucket

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[WatchedBucket]:
    """A prepared home whose daemon runs."""
    folder = tmp_path_factory.mktemp("listen")
    with s3_server(folder / "s3") as server:
        bucket = WatchedBucket(server, folder / "home", model_cache, settings={"INGEST_DELETE_GRACE_S": "0"})
        bucket.home.mkdir()
        bucket.ingest("prepare")
        with bucket.daemon():
            yield bucket
        bucket.project.store.close()


def is_searchable(bucket: WatchedBucket, name: str, generation: int = 1) -> bool:
    record = bucket.record(name)
    return record is not None and record.state is State.SUCCEEDED and record.generation >= generation


def submitted_by_listener(bucket: WatchedBucket) -> int:
    return bucket.log("listener").count(" 1 runs asked for")


def test_uploads_are_searchable_by_the_listener_and_changes_and_removals_are_seen(bucket: WatchedBucket) -> None:
    with bucket.listener() as listener:
        bucket.put("heron ü+1.md", "# Heron\n\nThe heron stands at the weir.\n")
        until(lambda: is_searchable(bucket, "heron ü+1.md"), what="the upload is searchable")
        bucket.put("heron ü+1.md", "# Heron\n\nThe heron has gone to the lake.\n")
        until(lambda: is_searchable(bucket, "heron ü+1.md", 2), what="the change is searchable")
        assert submitted_by_listener(bucket) >= 2, "the listener asked for the runs, and no sensor was faster"
        bucket.remove("heron ü+1.md")
        until(lambda: bucket.record("heron ü+1.md") is None, what="the removed file is purged")
        second = subprocess.run(
            [str(BIN / "ingest"), "listen"],
            env=bucket.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (second.returncode, "another `ingest listen` runs" in second.stderr) == (2, True), second.stderr
        listener.send_signal(signal.SIGTERM)
        assert listener.wait(60) == 0
    assert bucket.log("listener").rstrip().endswith("stopped")
    assert "heron has gone" not in bucket.log("listener"), "no text of a document is in the log"


def test_without_a_listener_the_sensors_do_the_same(bucket: WatchedBucket) -> None:
    before = submitted_by_listener(bucket)
    bucket.put("otter.md", "# Otter\n\nThe otter sleeps under the bridge.\n")
    until(lambda: is_searchable(bucket, "otter.md"), what="the upload is searchable")
    until(lambda: not bucket.project.inbox.depth(), what="the event was received")
    assert submitted_by_listener(bucket) == before


def test_a_listener_that_is_killed_loses_nothing_and_the_sensors_take_over(bucket: WatchedBucket) -> None:
    with bucket.listener() as listener:
        until(lambda: bucket.log("listener").count("listening for") == 2, what="the second listener listens")
        for number in range(3):
            bucket.put(f"swift {number}.md", f"# Swift {number}\n\nSwift number {number} came in May.\n")
        listener.kill()
        listener.wait(60)
    until(
        lambda: all(is_searchable(bucket, f"swift {number}.md") for number in range(3)),
        what="what arrived around the kill is searchable",
        timeout_s=400,
    )
    generations = [bucket.record(f"swift {number}.md") for number in range(3)]
    assert [record.generation for record in generations if record] == [1, 1, 1]

"""Measure how long a small upload takes to be searchable: with `ingest listen`, by the event sensor, by listing.

    python benchmarks/bucket/latency.py [--files 20] [--way listener|events|listing]

A real S3 with its queue and Dagster's daemon run on loopback, on a home of their own with embedded Chroma. Files are
uploaded one after the other, each at a random moment after the one before was done, so that the sensors are met at
every phase of their rounds. A file counts as searchable when the index says so, which is told after the store has it;
it is asked every 20 ms. Three files come first, so that the warm process has learnt what runs of such files import. The
seed is fixed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from testing.object_storage import s3_server
from testing.polling import until
from testing.watched_bucket import WatchedBucket, rss_mb

WAYS = ("listener", "events", "listing")
WANTED_S = {"listener": 3.0, "events": 10.0, "listing": 25.0}
_WARM_S = 10.0
"""What a start leaves to be done is over by then."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--models", type=Path, default=Path(".dagster_home/models"))
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("| way | files | median s | p95 s | slowest s | wanted p95 s |\n| --- | --- | --- | --- | --- | --- |")
    for way in given.way or WAYS:
        with tempfile.TemporaryDirectory(prefix="latency-") as folder:
            seconds = sorted(measure(way, Path(folder), files=given.files, models=given.models.absolute()))
        p95 = seconds[max(0, round(0.95 * len(seconds)) - 1)]
        row = f"{len(seconds)} | {statistics.median(seconds):.1f} | {p95:.1f} | {seconds[-1]:.1f} | {WANTED_S[way]:.0f}"
        print(f"| {way} | {row} |", flush=True)


def measure(way: str, folder: Path, *, files: int, models: Path) -> list[float]:
    """Return the seconds from upload to searchable of each file."""
    chance = random.Random(7)
    with s3_server(folder / "s3") as server:
        bucket = WatchedBucket(server, folder / "home", models)
        if way == "listing":
            bucket.settings["INGEST_EVENTS_QUEUE"] = ""
        bucket.home.mkdir()
        bucket.ingest("prepare")
        with bucket.daemon(), listener_of(bucket) if way == "listener" else nullcontext():
            for name in ("first.md", "second.md", "third.md"):
                bucket.put(name, f"# The {name}\n\nA boat lies in the {name} harbour.\n")
                until(partial(is_searchable, bucket, name), what=f"{name} is searchable")
            time.sleep(_WARM_S)
            seconds = []
            for number in range(files):
                time.sleep(chance.uniform(1, 6))
                began, name = time.monotonic(), f"{number:03}.md"
                bucket.put(name, f"# Note {number}\n\nThe ferry number {number} leaves from the north quay at noon.\n")
                until(partial(is_searchable, bucket, name), what=name, every_s=0.02)
                seconds.append(time.monotonic() - began)
        bucket.project.store.close()
    return seconds


@contextmanager
def listener_of(bucket: WatchedBucket) -> Iterator[None]:
    with bucket.listener() as process:
        until(lambda: "listening" in bucket.log("listener"), what="the listener listens")
        yield
        print(f"listener: {rss_mb(process.pid):.0f} MB resident", flush=True)


def is_searchable(bucket: WatchedBucket, name: str) -> bool:
    row = bucket.project.index.row(f"ann:p:{name}")
    return row is not None and row.state == "succeeded"


if __name__ == "__main__":
    main()

"""Measure what it takes to read an object of S3 or Google Cloud Storage through the spool.

    python -m benchmarks.bucket.downloads [--megabytes 1000] [--store s3 gs]

The servers run on this machine, so seconds are those of both ends and of the disk. Memory is the peak of the reading
process above its peak after a small object. Beside it: the library's own download to a file, without checksum of the
whole, limit or lock (boto3 `download_fileobj` with its threads, google-cloud-storage `download_to_filename`).
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from ingest_assets.buckets.opening import open_bucket
from ingest_assets.config.settings import load_settings
from testing.object_storage import GcsServer, S3Server, gcs_server, s3_server

ROOT = Path(__file__).resolve().parents[2]
SMALL, LARGE = "ann/p/small", "ann/p/large"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--store", nargs="+", default=["s3", "gs"], choices=["s3", "gs"])
    parser.add_argument("--child", choices=["spool", "library"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        in_child(arguments.child)
        return
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}\n")
    print("| store | way | MB | seconds | processor | + MB of memory |")
    print("| --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    for store in arguments.store:
        with tempfile.TemporaryDirectory() as folder:
            measure(store, Path(folder), megabytes=arguments.megabytes)


def measure(store: str, folder: Path, *, megabytes: int) -> None:
    with (s3_server if store == "s3" else gcs_server)(folder / "server") as server:
        environment = (
            os.environ
            | server.environment
            | {
                "INGEST_BUCKET": f"{store}://{server.new_bucket()}/up",
                "INGEST_SPOOL": str(folder / "spool"),
                "INGEST_SPOOL_MB": str(megabytes + 1),
                "SERVER_PORT": str(server.port),
            }
        )
        os.environ.update(environment)
        bucket = open_bucket(load_settings())
        bucket.prepare()
        for name, size in ((SMALL, 1000), (LARGE, megabytes * 1_000_000)):
            source = folder / "source"
            with source.open("wb") as file:
                file.truncate(size)
            bucket.put(name, source)
            source.unlink()
        for way in ("spool", "library"):
            command = [sys.executable, "-m", "benchmarks.bucket.downloads", "--child", way]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
            print(f"| {store} | {way} | {megabytes:,} | {done.stdout.strip()} |", flush=True)


def in_child(way: str) -> None:
    """Read the small object and then the large one; print seconds, processor and memory of the second."""
    read = through_spool if way == "spool" else by_library
    read(SMALL)
    before, began, busy = getrusage(RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    read(LARGE)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    print(f"{seconds:.1f} | {busy:.1f} | {(getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024:.0f}")


def through_spool(name: str) -> None:
    with open_bucket(load_settings()).local(name) as path:
        assert path.stat().st_size


def by_library(name: str) -> None:
    settings, folder = load_settings(), Path(os.environ["INGEST_SPOOL"])
    container, _, prefix = settings.bucket.partition("://")[2].partition("/")
    port, target = int(os.environ["SERVER_PORT"]), folder / "by_library"
    if settings.bucket.startswith("s3://"):
        client = S3Server(folder, port, {}, [], {}, "").client()
        with target.open("wb") as file:
            client.download_fileobj(container, f"{prefix}/{name}", file)
    else:
        client = GcsServer(folder, port, {}, [], {}, "").client()
        client.bucket(container).blob(f"{prefix}/{name}").download_to_filename(str(target), checksum=None)
    target.unlink()


if __name__ == "__main__":
    main()

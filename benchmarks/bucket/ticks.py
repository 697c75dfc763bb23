"""Measure a tick of the sensor `upload_bucket` with many known files, and what it adds to the process's memory.

    python -m benchmarks.bucket.ticks [--files 1000 10000 100000] [--index sqlite postgresql] [--bucket folder s3]

Each row is a process of its own: a bucket of so many small files, a ledger in PostgreSQL that knows all of them, and an
index made from it. After one listing to the end it takes ticks with no change, one change and 1,000 changes, as the
daemon does: look, decide, ask who is in runs. Seconds of the wall and of the processor are medians of five ticks.
Beside it: what the earlier way costs (list everything, read the whole ledger, compare), and Dagster's recipe for S3
(`dagster_aws.s3.sensor.get_objects`), which knows no changes by content, no deletes and no ledger.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg

from ingest_assets.config.settings import Settings
from ingest_assets.defs.noticing.wanted_runs import wanted_runs
from ingest_assets.file_ids import file_id_of
from ingest_assets.ledger_records import FileRecord, State, utc_text
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from ingest_assets.stores.contract import all_records
from ingest_assets.stores.pgvector.rows import LEDGER, ledger_row
from ingest_assets.wiring import open_store
from testing.object_storage import s3_server
from testing.postgres import postgres

LOOK_S = 0.5
TICKS = 5
FOLDERS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--index", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--bucket", nargs="+", default=["folder", "s3"], choices=["folder", "s3"])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        files, index, bucket = arguments.child
        in_child(int(files), index=index, bucket=bucket)
        return
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}\n")
    print("| bucket | index | files | what | seconds | processor | + MB |")
    print("| --- | --- | ---: | --- | ---: | ---: | ---: |", flush=True)
    for bucket in arguments.bucket:
        for index in arguments.index:
            for files in arguments.files:
                child = ["--child", str(files), index, bucket]
                subprocess.run([sys.executable, "-m", "benchmarks.bucket.ticks", *child], check=True)


def in_child(files: int, *, index: str, bucket: str) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres())
        given = {"DAGSTER_HOME": folder / "home", "INGEST_SETTLE_S": 0, "INGEST_STORE": "pgvector"}
        given |= {"INGEST_PGVECTOR": server.new_database()}
        if index == "postgresql":
            given |= {"INGEST_INSTANCE_DB": server.new_database()}
        if bucket == "s3":
            given |= stack.enter_context(on_s3())
        project = Project(Settings.model_validate(given))
        (folder / "home").mkdir()
        instance = stack.enter_context(dg.DagsterInstance.local_temp(str(folder / "home")))
        project.mark_bucket()
        put(project, range(files))
        know(project)

        def show(what: str, *measured: float) -> None:
            seconds, processor, grown = (f"{value:.2f}" for value in measured)
            print(
                f"| {bucket} | {index} | {files:,} | {what} | {seconds} | {processor} | {float(grown):.0f} |",
                flush=True,
            )

        def tick() -> None:
            wanted_runs(instance, project, within_s=LOOK_S)

        show("index made from the ledger", *measured(project.rebuild_index, times=1))
        show("listing to its end", *measured(lambda: wanted_runs(instance, project, within_s=0, whole=True), times=1))
        show("tick, no change", *measured(tick, times=TICKS))
        put(project, range(1), text="changed")
        show("tick, 1 change", *measured(tick, times=TICKS))
        put(project, range(min(files, 1_000)), text="changed again")
        show("tick, 1,000 changes", *measured(tick, times=TICKS))
        show("earlier way: all of bucket and ledger", *measured(lambda: everything(project), times=1))
        if bucket == "s3":
            show("dagster_aws get_objects", *measured(lambda: dagsters_recipe(project.settings), times=1))
        project.store.close()


def put(project: Project, numbers: range, *, text: str = "a note") -> None:
    root = Path(project.settings.bucket)
    for number in numbers:
        key = f"user{number % FOLDERS:02}/notes/{number:06}.txt"
        if "://" in project.settings.bucket:
            source = project.settings.home / "note"
            source.write_text(text)
            project.bucket.put(key, source)
        else:
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def know(project: Project) -> None:
    """Write a record of each object, as if it had been ingested: the first through the store, the others in bulk."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    records = [record_of(item) for item in project.bucket.list() if isinstance(item, BucketObject)]
    store = open_store(project.settings)  # without the index, which is made of all of them at once
    store.note(records[0])
    with psycopg.connect(project.settings.pgvector) as connection:
        names = SQL(", ").join(map(Identifier, [*LEDGER, "record"]))
        into = SQL("COPY files ({}) FROM STDIN").format(names)
        with connection.cursor() as cursor, cursor.copy(into) as copy:
            for record in records[1:]:
                copy.write_row(ledger_row(record))


def record_of(item: BucketObject) -> FileRecord:
    user, folder, filename = item.key.split("/", 2)
    return FileRecord(
        file_id=file_id_of(item.key), user_id=user, project_id=folder, filename=filename, key=item.key,
        state=State.SUCCEEDED, version=item.version, sha256=f"{abs(hash(item.key)):064x}", media_type="text/plain",
        fingerprint="f", updated_at=utc_text(),
    )  # fmt: skip


def everything(project: Project) -> None:
    """List the whole bucket and read the whole ledger, as the sensor did before it had an index."""
    versions = {record.file_id: record.version for record in all_records(project.store)}
    listed = {file_id_of(item.key): item.version for item in project.bucket.list() if isinstance(item, BucketObject)}
    assert sum(versions.get(file_id) != version for file_id, version in listed.items()) <= 1_000


def dagsters_recipe(settings: Settings) -> None:
    from dagster_aws.s3 import S3Resource
    from dagster_aws.s3.sensor import get_objects

    client = S3Resource(endpoint_url=settings.s3_endpoint).get_client()
    bucket, _, prefix = settings.bucket.removeprefix("s3://").partition("/")
    get_objects(bucket=bucket, prefix=prefix, client=client)


def measured(act: Callable[[], object], *, times: int) -> tuple[float, float, float]:
    """Return medians of the seconds and the processor's seconds, and by how many MB the process grew."""
    walls, processors, before = [], [], resident_mb()
    for _ in range(times):
        wall, processor = time.perf_counter(), time.process_time()
        act()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return statistics.median(walls), statistics.median(processors), resident_mb() - before


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def on_s3() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as name, s3_server(Path(name)) as server:
        os.environ.update(server.environment)
        bucket = server.new_bucket()
        yield {"INGEST_BUCKET": f"s3://{bucket}/in", "INGEST_S3_ENDPOINT": server.url}


if __name__ == "__main__":
    main()

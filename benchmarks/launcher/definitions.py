"""Define a trivial partitioned asset with both executors, after importing the project's real definitions."""

import mmap
import os
import time
from pathlib import Path

import dagster as dg

import ingest_assets.definitions  # noqa: F401 - importing it is part of what is measured

MB = 1 << 20
keys = dg.StaticPartitionsDefinition([str(number) for number in range(100)])


@dg.asset(partitions_def=keys)
def trivial() -> int:
    return 1


@dg.asset
def sleeping() -> None:
    time.sleep(120)


@dg.asset
def growing() -> None:
    """Allocate 1 GB/s of shared memory, which no limit per process sees, and note how much it was."""
    said = mmap.mmap(os.open(Path(os.environ["DAGSTER_HOME"]) / "grown_mb", os.O_RDWR), 8)
    kept, began = [], time.perf_counter()
    while True:
        for _ in range(5):
            block = mmap.mmap(-1, MB)
            block.write(b"x" * MB)
            kept.append(block)
            said[:] = len(kept).to_bytes(8, "little")
        time.sleep(max(0.0, began + len(kept) / 1024 - time.perf_counter()))


defs = dg.Definitions(
    assets=[trivial, sleeping, growing],
    jobs=[
        dg.define_asset_job("in_process", [trivial], executor_def=dg.in_process_executor),
        dg.define_asset_job("multiprocess", [trivial], executor_def=dg.multiprocess_executor),
        dg.define_asset_job("sleeping_job", [sleeping], executor_def=dg.in_process_executor),
        dg.define_asset_job("growing_job", [growing], executor_def=dg.in_process_executor),
    ],
)

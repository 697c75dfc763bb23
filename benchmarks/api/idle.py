"""Measure the memory of the idle service, with the model loaded and an empty store, beside what it is made of.

    python -m benchmarks.api.idle [--stores chroma pgvector atlas]

The figures are PSS in MB (`/proc/PID/smaps_rollup`): of a bare FastAPI application on uvicorn, of a process that has
only loaded the model and embedded one text, and of `ingest serve` over each store, when it answers and after ten
searches. The limit is 400.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

import httpx

from benchmarks.api.search import service
from benchmarks.api.throughput import bare
from benchmarks.stores.places import STORES
from testing.servers import STOP_S

_MODEL = """
from benchmarks.api.search import model_settings
from ingest_assets.wiring import open_embedder
open_embedder(model_settings()).embed(["a question"])
print("loaded", flush=True)
input()
"""


def main() -> None:
    """Measure and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="+", default=["chroma", "pgvector", "atlas"], choices=list(STORES))
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}", flush=True)
    print("| process | PSS at the start, MB | after ten searches |\n| --- | --: | --: |", flush=True)
    with bare({}) as (_, pid):
        print(f"| bare FastAPI | {pss_mb(pid):.0f} | |", flush=True)
    print(f"| the model alone | {model_mb():.0f} | |", flush=True)
    for name in given.stores:
        with STORES[name]() as new_place, service(new_place().address) as (url, pid):
            started = pss_mb(pid)
            with httpx.Client(base_url=url, timeout=600) as client:
                for _ in range(10):
                    body = {"query": "a question", "user_id": "ann", "project_id": "p"}
                    assert client.post("/search", json=body).raise_for_status().json() == {"hits": []}
            print(f"| `ingest serve` over {name} | {started:.0f} | {pss_mb(pid):.0f} |", flush=True)


def model_mb() -> float:
    """Return the memory of a process that has loaded the model."""
    command = [sys.executable, "-W", "ignore", "-c", _MODEL]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        return pss_mb(process.pid)
    finally:
        process.kill()
        process.wait(STOP_S)


def pss_mb(pid: int) -> float:
    """Return a process's share of the memory that it uses, in MB of 1,000,000 bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()

"""Measure the memory of a process that opens an embedded Chroma again for each look at the ledger.

python -m benchmarks.stores.reopen [--looks 16]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.stores.documents import chunks_of, record_of
from ingest_assets.stores.chroma.rows import ChromaEntry, ledger_row
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import all_records

RECORDS = 2_500
CHUNKS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=16)
    looks = parser.parse_args().looks
    with tempfile.TemporaryDirectory() as folder:
        _fill(folder)
        for look in range(1, looks + 1):
            count = sum(1 for _ in all_records(ChromaStore(folder)))
            print(look, count, _status("VmRSS") // 1024, "MB", _status("Threads"), "threads")


def _fill(folder: str) -> None:
    store = ChromaStore(folder)
    record = record_of(0)
    store.replace(record, chunks_of(record, CHUNKS))
    records = [replace(record_of(number), generation=1, summary="x" * 600) for number in range(1, RECORDS)]
    with store._access.writing() as chroma:
        chroma.files.add(
            ids=[record.file_id for record in records],
            embeddings=[[1.0]] * len(records),
            metadatas=[ledger_row(ChromaEntry(record=record, token="", gone=False)) for record in records],
        )
    store.close()


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()

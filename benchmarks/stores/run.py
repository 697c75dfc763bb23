"""Measure the stores: a first insert, a small change, filtered searches, and the memory of each job.

    python -m benchmarks.stores.run [--stores chroma pgvector] [--rows 100000] [--parts insert search memory]

Each store is the real one on loopback, started here. The plain way is the same library's fastest one for the same rows:
COPY, unordered `insert_many`, `collection.add`, into a place prepared alike. Memory is the peak of a child process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.stores.documents import chunks_of, record_of, vector_of
from benchmarks.stores.places import STORES, Place, opened
from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.records import Chunk, EmbeddedChunk, Vector
from ingest_assets.stages.upkeep.migrate import migrate
from ingest_assets.stages.upkeep.optimize import optimize
from ingest_assets.stages.upkeep.repair import repair
from ingest_assets.stages.upkeep.seen_texts import SeenTexts
from ingest_assets.stages.upkeep.validate import validate
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from testing.damage import lose_rows

DOCUMENT, CHANGED, ROUNDS = 1_000, 10, 5
SCOPES, QUERIES, K = 200, 200, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="+", default=list(STORES), choices=list(STORES))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", nargs="+", default=["insert", "search", "memory"])
    parser.add_argument("--actions", nargs="+", default=list(ACTIONS), choices=list(ACTIONS), help="whose memory")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        in_child(*arguments.child)
        return
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, ", end="")
    print(f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n", flush=True)
    for name in arguments.stores:
        with STORES[name]() as new_place:
            if "insert" in arguments.parts:
                insert(name, new_place)
            if "search" in arguments.parts:
                search(name, new_place(), rows=arguments.rows)
            if "memory" in arguments.parts:
                memory(name, new_place, rows=arguments.rows, actions=arguments.actions)


def insert(name: str, new_place: Callable[[], Place]) -> None:
    """Time a document's first insert, the plain library's, and the change of ten of its chunks."""
    firsts, plains, changes, moves = [], [], [], []
    rows = megabytes_first = megabytes_change = 0.0
    for _ in range(ROUNDS):
        place = new_place()
        store, record = place.open(), record_of(1)
        chunks = list(chunks_of(record, DOCUMENT))
        before = place.written()
        firsts.append(_replacing(store, record, chunks))
        megabytes_first = place.written() - before
        plains.append(place.plain())
        # Spread over the document, as edits are.
        edited = frozenset(range(5, DOCUMENT, DOCUMENT // CHANGED))
        changed = list(chunks_of(record, DOCUMENT, edited=edited))
        before = place.written()
        changes.append(_replacing(store, record, changed))
        megabytes_change = place.written() - before
        rows = sum(row.generation == 2 for row in store.rows(record.file_id))
        moves.append(_replacing(store, record, list(chunks_of(record, DOCUMENT, edited=edited, longer=" more"))))
        store.close()
    first, plain, change, move = (statistics.median(each) for each in (firsts, plains, changes, moves))
    print(
        f"| {name} | {first:.2f} | {plain:.2f} | {first / plain:.2f} | {change:.3f} | {change / first:.0%} | "
        f"{move / first:.0%} | "
        f"{rows:.0f} | {megabytes_first:.1f} | {megabytes_change:.2f} |",
        flush=True,
    )


def search(name: str, place: Place, *, rows: int) -> None:
    """Time searches of one scope among many, and compare them with exact ones."""
    store, per_document = place.open(), 100
    vectors: dict[int, list[np.ndarray]] = {}
    texts: dict[int, list[str]] = {}
    began = time.perf_counter()
    for number in range(rows // per_document):
        record = record_of(number, scopes=SCOPES)
        chunks = list(chunks_of(record, per_document))
        store.replace(record, chunks)
        vectors.setdefault(number % SCOPES, []).extend(each.vector for each in chunks)
        texts.setdefault(number % SCOPES, []).extend(each.chunk.chunk_id for each in chunks)
    filling = time.perf_counter() - began
    took, recalls = [], []
    for query in range(QUERIES):
        scope, vector = query % SCOPES, vector_of(f"query {query}")
        exact = np.argsort(-(np.stack(vectors[scope]) @ vector))[:K]
        began = time.perf_counter()
        hits = store.search(vector, k=K, scope=Scope(f"user{scope % 20}", f"project{scope}"))
        took.append(time.perf_counter() - began)
        recalls.append(len({hit.chunk.chunk_id for hit in hits} & {texts[scope][row] for row in exact}) / K)
    store.close()
    p50, p95 = (1000 * float(np.percentile(took, share)) for share in (50, 95))
    print(f"| {name} | {rows:,} | {p50:.1f} | {p95:.1f} | {statistics.mean(recalls):.3f} | {filling:.0f} |", flush=True)


def memory(name: str, new_place: Callable[[], Place], *, rows: int, actions: list[str]) -> None:
    """Print the peak memory of processes that write, examine, mend, tidy and copy a tenth and all of the rows."""
    for count in (rows // 10, rows):
        place = new_place()
        peaks = {action: f"{_peak(place, action, count):.0f}" for action in ACTIONS if action in actions}
        print(f"| {name} | {count:,} | " + " | ".join(peaks.get(action, "") for action in ACTIONS) + " |", flush=True)


def _peak(place: Place, action: str, count: int) -> float:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.stores.run",
        "--child",
        *place.address,
        action,
        str(count),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def in_child(kind: str, location: str, database: str, action: str, count: str) -> None:
    """Do one thing in a process of its own, and print its peak memory in MB."""
    store = opened(kind, location, database)
    ACTIONS[action](store, int(count))
    store.close()
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _nothing(store: VectorStore, count: int) -> None:
    """What the libraries take."""
    store.search(vector_of("query"), k=1, scope=Scope("user0", "project0"))


def _replace(store: VectorStore, count: int) -> None:
    """One document of a tenth of the rows, and small ones."""
    for number in range(10):
        record = record_of(number)
        store.replace(record, chunks_of(record, count // 10))


def _validate(store: VectorStore, count: int) -> None:
    found = sum(len(examined.findings) for examined in validate(store, kept=lambda record: None))
    assert found == 0, found


class _Embedder:
    model, dimension = "benchmark-model", 384

    def embed(self, texts: Sequence[str]) -> Vector:
        return np.stack([vector_of(text) for text in texts])

    def fits(self, texts: Sequence[str]) -> list[bool]:
        return [True] * len(texts)


def _repair(store: VectorStore, count: int) -> None:
    """A row of two documents is gone."""
    for number in range(2):
        file_id = record_of(number).file_id
        lose_rows(store, file_id, [next(iter(store.rows(file_id))).name])

    def kept(record: FileRecord) -> Iterator[Chunk]:
        return (each.chunk for each in chunks_of(record, count // 10))

    for examined in validate(store, kept=lambda record: None):
        repair(examined, store=store, kept=kept, forget=lambda _: None, embedder=_Embedder())


def _optimize(store: VectorStore, count: int) -> None:
    """No row has its flags yet."""
    with tempfile.TemporaryDirectory() as folder, SeenTexts(Path(folder) / "seen") as texts:
        for examined in validate(store, kept=lambda record: None):
            tidied = optimize(
                examined,
                store=store,
                seen=lambda record, text_sha256: texts.seen(record.project_id, text_sha256),
                kept=lambda record: None,
                captions=lambda record: frozenset(),
                embedder=_Embedder(),
            )
            assert tidied.flagged == count // 10, tidied
    store.compact()


def _migrate(store: VectorStore, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = ChromaStore(str(Path(folder) / "target"))
        assert sum(moved.copied for moved in migrate(store, target)) == 10
        target.close()


ACTIONS = {
    "nothing": _nothing,
    "replace": _replace,
    "validate": _validate,
    "repair": _repair,
    "optimize": _optimize,
    "migrate": _migrate,
}


def _replacing(store: VectorStore, record: FileRecord, chunks: list[EmbeddedChunk]) -> float:
    began = time.perf_counter()
    store.replace(record, iter(chunks))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

"""Measure `POST /search` of the real service over each store, at rest and while a long document is being published.

    python -m benchmarks.api.search [--stores chroma pgvector] [--chunks 20000] [--scopes 40] [--questions 200]

Chunks are made (`benchmarks/stores/documents.py`) and written in bulk; questions are words, embedded by the service.
The columns are p50 and p95 in milliseconds and the service's processor time for a search: of the first search of each
scope, of searches of scopes in turn at rest, and of the same while a process publishes one document of 5,000 chunks
after the other, at the niceness of a run. That process embeds nothing, unlike a run, so that the store is written to
all the time. With `--filled FOLDER` an embedded Chroma is filled once and used again.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np

from benchmarks.api.upload import running
from benchmarks.stores.documents import MODEL, chunks_of, record_of, text_of
from benchmarks.stores.places import DIMENSION, STORES, opened
from ingest_assets.batches import batches
from ingest_assets.config.settings import Settings
from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.project import Project
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stages.embed import Embedder
from ingest_assets.stores.chroma.rows import ChromaEntry, chunk_row, ledger_row, row_id
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from ingest_assets.wiring import open_embedder
from memory_capped_launcher.limits import LauncherConfig
from testing.servers import STOP_S, free_port

PER_DOCUMENT, LONG, AT_ONCE, A_WINDOW = 100, 5_000, 5_000, 64
_SERVE = "from ingest_assets.cli.main import main; main()"


def main() -> None:
    """Measure and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="+", default=["chroma", "pgvector"], choices=list(STORES))
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--scopes", type=int, default=40)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--filled", type=Path, help="folder of an embedded Chroma that is filled once")
    parser.add_argument("--publish", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--embed", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.publish:
        return publish(*given.publish, embeds=given.embed)
    print(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}", flush=True)
    for name in given.stores:
        with STORES[name]() as new_place:
            address = new_place().address
            if given.filled and name == "chroma":
                address = ("chroma", str(given.filled), "")
            if not (given.filled and name == "chroma" and given.filled.exists()):
                fill(address, chunks=given.chunks, scopes=given.scopes)
            with service(address) as (url, pid), httpx.Client(base_url=url, timeout=600) as client:
                first = asked(client, pid, scopes=given.scopes, times=given.scopes)
                rest = asked(client, pid, scopes=given.scopes, times=given.questions)
                with publishing(address):
                    busy = asked(client, pid, scopes=given.scopes, times=given.questions)
        figures = [f"{figure:.0f}" for part in (first, rest, busy) for figure in part]
        print(f"| {name} | {given.chunks:,} | {given.scopes} | {' | '.join(figures)} |", flush=True)
    return None


def asked(client: httpx.Client, pid: int, *, scopes: int, times: int) -> tuple[float, float, float]:
    """Ask questions; return p50 and p95, and the service's processor time for one, in milliseconds."""
    before = processor_ms(pid)
    took = [ask(client, number % scopes) for number in range(times)]
    used = processor_ms(pid) - before
    return float(np.percentile(took, 50)), float(np.percentile(took, 95)), used / times


def processor_ms(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(client: httpx.Client, scope: int) -> float:
    """Ask one question in a scope; return the milliseconds until the answer was there."""
    owner = scope_of(record_of(scope, scopes=scope + 1))
    body = {"query": text_of(f"question {scope}")[:60], "user_id": owner.user_id, "project_id": owner.project_id}
    began = time.perf_counter()
    answer = client.post("/search", json=body)
    took_ms = 1000 * (time.perf_counter() - began)
    assert len(answer.raise_for_status().json()["hits"]) == 10, answer.text
    return took_ms


def scope_of(record: FileRecord) -> Scope:
    """Return whose a document is."""
    return Scope(record.user_id, record.project_id)


def fill(address: tuple[str, ...], *, chunks: int, scopes: int) -> None:
    """Write so many chunks, in documents of 100 that take turns with the scopes."""
    kind, location, _ = address
    store = opened(*address)
    records = [
        replace(record_of(number, scopes=scopes), chunks=PER_DOCUMENT, model=MODEL, dimension=DIMENSION)
        for number in range(chunks // PER_DOCUMENT)
    ]
    if isinstance(store, ChromaStore):
        _fill_chroma(store, records)
    elif kind == "pgvector":
        with _without_index(location):
            _replace_all(store, records)
    else:
        _replace_all(store, records)
    store.close()


def _replace_all(store: VectorStore, records: list[FileRecord]) -> None:
    for record in records:
        store.replace(record, chunks_of(record, PER_DOCUMENT))


def _fill_chroma(store: ChromaStore, records: list[FileRecord]) -> None:
    """Write what `replace` would, in larger batches: an embedded index is copied for each.

    Killed in one of them, the store takes as long to open as the batch took (docs/stores.md).
    """
    rows = (
        (replace(record, generation=1), place, embedded)
        for record in records
        for place, embedded in enumerate(chunks_of(record, PER_DOCUMENT))
    )
    for batch in batches(rows, AT_ONCE):
        with store._access.writing() as chroma:
            chroma.chunks.add(**_columns(batch))
    for some in batches(records, AT_ONCE):
        with store._access.writing() as chroma:
            chroma.files.add(
                ids=[record.file_id for record in some],
                embeddings=[[1.0]] * len(some),
                metadatas=[
                    ledger_row(ChromaEntry(record=replace(record, generation=1), token="first", gone=False))
                    for record in some
                ],
            )


def _columns(batch: list[tuple[FileRecord, int, EmbeddedChunk]]) -> dict[str, object]:
    created = {"created": "2026-01-01T00:00:00+00:00"}
    return {
        "ids": [row_id(embedded, record, position=place) for record, place, embedded in batch],
        "embeddings": [embedded.vector for _, _, embedded in batch],
        "metadatas": [chunk_row(embedded, record, position=place) | created for record, place, embedded in batch],
        "documents": [embedded.chunk.text for _, _, embedded in batch],
    }


@contextmanager
def _without_index(url: str) -> Iterator[None]:
    """Take the index of vectors away, and make it again when the block ends: built at once it takes a third."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%hnsw%'").fetchall()
        for name, _ in found:
            connection.execute(f'DROP INDEX "{name}"')
        yield
        connection.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in found:
            connection.execute(definition)
        connection.execute("ANALYZE")


@contextmanager
def service(address: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Run `ingest serve` on a store; give its address and process."""
    kind, location, database = address
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))) / "home"
        home.mkdir()
        of_store = {
            "chroma": {"INGEST_CHROMA": location, "INGEST_CHROMA_DATABASE": database or "default_database"},
            "pgvector": {"INGEST_PGVECTOR": location},
            "atlas": {"MONGO_URI": location, "MONGO_DB": database},
        }[kind]
        settings = {"DAGSTER_HOME": str(home), "INGEST_RATE_LIMIT": "off", "INGEST_STORE": kind, **of_store}
        models = {name: value for name, value in os.environ.items() if name.startswith("INGEST_MODEL")}
        project = Project(Settings.model_validate({**models, **settings}))
        project.take_over_store()  # a store that is used again belongs to the bucket before
        project.mark_bucket()
        project.close()
        port = free_port()
        environment = {**os.environ, **settings, "INGESTION_PORT": str(port)}
        pid = stack.enter_context(running([sys.executable, "-c", _SERVE, "serve"], port, environment))
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def publishing(address: tuple[str, ...], *, embeds: bool = False) -> Iterator[None]:
    """Publish long documents in another process until the block ends; begin when the first chunks are made.

    With `embeds` it embeds each chunk as a run does, and writes as often as a run.
    """
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.api.search", "--publish", *address]
    command += ["--embed"] if embeds else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield
        assert process.poll() is None, "it was to publish all the time"
    finally:
        process.kill()
        process.wait(STOP_S)


def publish(kind: str, location: str, database: str, *, embeds: bool) -> None:
    """Publish one long document after the other, of an owner whom nobody asks about, at the niceness of a run."""
    os.nice(LauncherConfig().niceness)
    embedder = open_embedder(model_settings()) if embeds else None
    store = opened(kind, location, database)
    number = time.time_ns()
    while True:
        record = replace(record_of(number), user_id="writer", project_id="long", model=MODEL, dimension=DIMENSION)
        chunks = _told(chunks_of(record, LONG), at=A_WINDOW if embedder else AT_ONCE // 5)
        store.replace(record, _embedded(chunks, embedder) if embedder else chunks)
        number += 1


def model_settings() -> Settings:
    """Return the settings of this environment's model."""
    return Settings.model_validate(
        {name: value for name, value in os.environ.items() if name.startswith("INGEST_MODEL")}
    )


def _told(chunks: Iterator[EmbeddedChunk], *, at: int) -> Iterator[EmbeddedChunk]:
    for number, chunk in enumerate(chunks):
        if number == at:
            print("begun", flush=True)
        yield chunk


def _embedded(chunks: Iterator[EmbeddedChunk], embedder: Embedder) -> Iterator[EmbeddedChunk]:
    for window in batches(chunks, A_WINDOW):
        vectors = embedder.embed([each.chunk.text for each in window])
        yield from (replace(each, vector=vector) for each, vector in zip(window, vectors, strict=True))


if __name__ == "__main__":
    main()

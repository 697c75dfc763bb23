"""Measure the chunk API: one chunk of 250 words at rest and while a document is published, and chunks by the hundred.

    python -m benchmarks.api.chunks [--stores chroma pgvector atlas] [--times 200] [--batches 5]

The columns are milliseconds: what the work costs by itself (the model embeds the text in this process, then the
store's own library writes one row, p50 of each); p50 and p95 of `POST …/chunks` at rest and while another process
embeds and publishes documents of 5,000 chunks, at the niceness of a run; and the time of `POST …/chunks/batch` with
100 chunks, for each chunk. Each chunk has another text, so each is embedded.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.api.search import model_settings, publishing, service
from benchmarks.stores.documents import vector_of
from benchmarks.stores.places import DIMENSION, STORES
from ingest_assets.stages.embed import Embedder
from ingest_assets.wiring import open_embedder

WORDS, A_BATCH, WARM_UP = 250, 100, 5
_PROSE = (Path(__file__).parents[2] / "docs/design.md").read_text(encoding="utf-8")
_WORDS = [word for word in _PROSE.lower().split() if word.isalpha()]
_numbers = itertools.count()


def main() -> None:
    """Measure and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", nargs="+", default=["chroma", "pgvector", "atlas"], choices=list(STORES))
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--batches", type=int, default=5)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}", flush=True)
    model = p50(embedding(open_embedder(model_settings())), times=given.times)
    print("| store | model alone | library alone | one: p50 | p95 | publishing: p50 | p95 | batch, a chunk |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |", flush=True)
    for name in given.stores:
        with STORES[name]() as new_place:
            library = p50(plain_write(*new_place().address), times=given.times)
            address = new_place().address
            with service(address) as (url, _), httpx.Client(base_url=url, timeout=600) as client:
                rest = asked(client, times=given.times)
                with publishing(address, embeds=True):
                    busy = asked(client, times=given.times)
                batch = min(batch_ms(client) for _ in range(given.batches))
        figures = [model, library, *rest, *busy, batch / A_BATCH]
        print(f"| {name} | {' | '.join(f'{figure:.1f}' for figure in figures)} |", flush=True)


def text() -> str:
    """Return 250 words that were not asked for before."""
    number = next(_numbers)
    return " ".join([f"{os.getpid()}-{number}", *random.Random(number).choices(_WORDS, k=WORDS - 1)])


def embedding(embedder: Embedder) -> Callable[[], object]:
    """Return what embeds one text."""
    return lambda: embedder.embed([text()])


def plain_write(kind: str, location: str, database: str) -> Callable[[], object]:
    """Return what writes one text with its vector by the store's own library, into a place of its own."""
    if kind == "pgvector":
        import psycopg
        from pgvector.psycopg import register_vector

        connection = psycopg.connect(location, autocommit=True)
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(f"CREATE TABLE plain (id text PRIMARY KEY, text text, embedding vector({DIMENSION}))")
        connection.execute("CREATE INDEX ON plain USING hnsw (embedding vector_cosine_ops)")
        register_vector(connection)
        return lambda: connection.execute("INSERT INTO plain VALUES (%s, %s, %s)", row())
    if kind == "atlas":
        from bson.binary import Binary, BinaryVectorDtype
        from pymongo import MongoClient

        plain: Any = MongoClient(location)[database]["plain"]

        def insert() -> None:
            name, words, vector = row()
            packed = Binary.from_vector(vector, BinaryVectorDtype.FLOAT32)
            plain.insert_one({"_id": name, "text": words, "embedding": packed})

        return insert
    collection = _chroma(location, database).create_collection("plain", embedding_function=None)

    def add() -> None:
        name, words, vector = row()
        collection.add(ids=[name], documents=[words], embeddings=[vector])

    return add


def _chroma(location: str, database: str) -> Any:
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    settings = ChromaSettings(anonymized_telemetry=False)
    if not database:
        return chromadb.PersistentClient(location, settings)
    host, _, port = location.removeprefix("http://").partition(":")
    return chromadb.HttpClient(host, int(port), settings=settings, database=database)


def row() -> tuple[str, str, Any]:
    """Return a name, a text and a vector."""
    words = text()
    return words.split()[0], words, vector_of(words)


def asked(client: httpx.Client, *, times: int) -> tuple[float, float]:
    """Hand in single chunks; return p50 and p95 in milliseconds."""
    took = timed(lambda: post(client, 1), times=times)
    return float(np.percentile(took, 50)), float(np.percentile(took, 95))


def batch_ms(client: httpx.Client) -> float:
    """Hand in a hundred chunks at once; return the milliseconds."""
    return 1000 * seconds(lambda: post(client, A_BATCH))


def post(client: httpx.Client, count: int) -> None:
    """Hand in chunks of one document."""
    document = f"document-{next(_numbers)}"
    chunks = [
        {
            "chunk_id": f"{document}-{number}",
            "markdown": {"text": text(), "chunk_order_index": number, "filename": "report.pdf", "pages": [1]},
            "metadata": {"chunk_index": number, "tokens": 330, "doc_id": document},
        }
        for number in range(count)
    ]
    path = "/api/entities/bench/chunks"
    answer = client.post(path, json=chunks[0]) if count == 1 else client.post(f"{path}/batch", json={"chunks": chunks})
    found = answer.raise_for_status().json()
    assert found["indexed"] if count == 1 else found["indexed_chunks"] == count, found


def timed(work: Callable[[], object], *, times: int) -> list[float]:
    """Return the milliseconds of each time but the first few."""
    return [1000 * seconds(work) for _ in range(WARM_UP + times)][WARM_UP:]


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of one time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def p50(work: Callable[[], object], *, times: int) -> float:
    """Return the median in milliseconds."""
    return float(np.percentile(timed(work, times=times), 50))


if __name__ == "__main__":
    main()

"""Test filtered search through the index, half precision, and flat memory for long documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.pgvector import search as pgvector_search
from ingest_assets.stores.pgvector.publish import BATCH
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    MODEL,
    CountedChunks,
    chunks_of,
    record_of,
    scope_of,
    texts_of,
    vector_of,
    with_vector,
)
from ingest_assets_tests.stores.notes import NOTES
from testing.postgres import rows_of
from testing.soaking import share

pytestmark = pytest.mark.slow


def crowd(store: PgVectorStore, others: int) -> None:
    """Fill the table with other people's chunks that lie nearer to the query than ours do."""
    near = vector_of("query")
    record = record_of("crowd.txt", user_id="crowd")
    rng = np.random.default_rng(1)

    def chunks() -> Iterator[EmbeddedChunk]:
        for each in chunks_of(record, texts_of("crowd", others)):
            vector = near + rng.standard_normal(DIMENSION).astype(np.float32) * np.float32(0.1)
            yield with_vector(each, (vector / np.linalg.norm(vector)).astype(np.float32))

    store.replace(record, chunks())


@pytest.mark.parametrize("limits", ["", "ALTER DATABASE {} SET hnsw.max_scan_tuples = 10"])
def test_a_filtered_search_through_the_index_returns_its_k_rows(
    url: str, store: PgVectorStore, monkeypatch: pytest.MonkeyPatch, limits: str
) -> None:
    crowd(store, 3000)
    store.replace(NOTES, chunks_of(NOTES, texts_of("notes", 60)))
    rows_of(url, limits.format(url.rsplit("/", 1)[-1]) or "ANALYZE")
    store.close()
    exact = store.search(vector_of("query"), k=40, scope=scope_of(NOTES))
    monkeypatch.setattr(pgvector_search, "EXACT_ROWS", 0)
    found = store.search(vector_of("query"), k=40, scope=scope_of(NOTES))
    assert len(found) == 40
    assert len({hit.chunk.text for hit in found} & {hit.chunk.text for hit in exact}) >= 38
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    everything = store.search(vector_of("query"), k=100, scope=scope_of(NOTES))
    assert len(everything) == 60


def test_half_precision_halves_the_vectors_and_finds_the_same(url: str) -> None:
    store = PgVectorStore(url, dimension=DIMENSION, halfvec=True)
    store.prepare()
    texts = texts_of("notes", 200)
    store.replace(NOTES, chunks_of(NOTES, texts))
    assert store.audit(NOTES.file_id).problems == ()
    assert rows_of(url, "SELECT DISTINCT pg_typeof(embedding)::text FROM chunks") == [("halfvec",)]
    expected = sorted(texts, key=lambda text: -float(vector_of(text) @ vector_of("query")))[:5]
    hits = store.search(vector_of("query"), k=5, scope=scope_of(NOTES))
    assert [hit.chunk.text for hit in hits] == expected
    (first,) = store.vectors_for(MODEL, [hits[0].chunk.text_sha256]).values()
    np.testing.assert_allclose(first, vector_of(expected[0]), atol=1e-3)
    store.close()


def memory_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_many_chunks_are_written_and_read_in_flat_memory(store: PgVectorStore) -> None:
    memory: list[float] = []

    def measured() -> Iterator[EmbeddedChunk]:
        for each in chunks_of(NOTES, texts):
            if each.chunk.index % 2500 == 2499:
                memory.append(memory_mb())
            yield each

    texts = texts_of("long", share(15_000, 50_000))
    long = CountedChunks(measured())
    assert store.replace(NOTES, long).chunks == len(texts)
    assert long.most <= 3 * BATCH
    for number, row in enumerate(store.rows(NOTES.file_id)):
        assert row.chunk.index == number
        if number % 2500 == 0:
            memory.append(memory_mb())
    assert max(memory) - memory[0] < 30, memory  # ids of 50,000 chunks, in sets and strings, are 10 MB

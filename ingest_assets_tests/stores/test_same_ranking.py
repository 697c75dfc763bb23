"""Test with real texts, questions and model that every store ranks as the exact comparison does."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder
from ingest_assets.ledger_records import Scope
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets_tests.conftest import CORPUS
from ingest_assets_tests.stores.builders import Vector, record_of
from ingest_assets_tests.stores.conftest import Opener
from testing.soaking import share

pytestmark = pytest.mark.slow

SCIFACT = CORPUS.parent / "retrieval" / "scifact"
DOCUMENTS, QUESTIONS, PER_FILE, K = share(400, 1_200), 60, 100, 10


def rows(name: str, count: int) -> list[dict[str, str]]:
    with (SCIFACT / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, count)]


@pytest.fixture(scope="session")
def embedded(model_cache: Path) -> tuple[list[str], Vector, Vector]:
    """Abstracts, their vectors, and those of the questions."""
    if not SCIFACT.is_dir():
        pytest.skip("the retrieval sets are not beside this checkout (../shared/corpus/retrieval)")
    embedder = OpenVINOEmbedder(cache_dir=model_cache)
    texts = [f"{row['title']} {row['text']}" for row in rows("corpus.jsonl", DOCUMENTS)]
    return texts, embedder.embed(texts), embedder.embed([row["text"] for row in rows("queries.jsonl", QUESTIONS)])


def chunk_of(file_id: str, index: int, text: str) -> Chunk:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Chunk(f"{index:05}", file_id, index, text, digest, start=0, end=len(text), words=len(text.split()))


def test_the_ten_nearest_are_those_of_the_exact_comparison(
    open_store: Opener, embedded: tuple[list[str], Vector, Vector]
) -> None:
    texts, vectors, questions = embedded
    store = open_store(dimension=vectors.shape[1])
    for first in range(0, len(texts), PER_FILE):
        record = record_of(f"part {first}")
        chunks = [chunk_of(record.file_id, first + at, text) for at, text in enumerate(texts[first : first + PER_FILE])]
        store.replace(record, [EmbeddedChunk(chunk, vectors[chunk.index], "minilm") for chunk in chunks])
    shared = 0
    for question in questions:
        exact = np.argsort(-(vectors @ question), kind="stable")[:K]
        hits = store.search(question, k=K, scope=Scope("ada", "engines"))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert hits[0].score == pytest.approx(float(vectors[hits[0].chunk.index] @ question), abs=1e-4)
        shared += len({hit.chunk.index for hit in hits} & set(exact.tolist()))
    assert shared / (len(questions) * K) >= 0.95

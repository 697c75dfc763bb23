"""Vectors are the model's own, hold the whole text, and do not depend on what else is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder
from ingest_assets_tests.clients.conftest import text

pytestmark = pytest.mark.slow


def test_vectors_are_unit_rows_of_the_model_s_length(embedder: OpenVINOEmbedder) -> None:
    vectors = embedder.embed(["one", text(500), ""])
    assert vectors.shape == (3, embedder.dimension) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(embedder: OpenVINOEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_meaning_is_nearer_than_wording(embedder: OpenVINOEmbedder) -> None:
    cat, kitten, bond = embedder.embed(
        ["The cat sleeps on the sofa.", "A kitten naps on a couch.", "Bond yields rose."]
    )
    assert cat @ kitten > 0.5 > 0.3 > cat @ bond


def test_the_end_of_a_long_text_is_in_its_vector(embedder: OpenVINOEmbedder) -> None:
    story = text(450)
    plain, with_end, question = embedder.embed([story, f"{story} Penguins breed in Antarctica.", "Antarctic penguins"])
    assert with_end @ question > plain @ question + 0.01


def test_a_vector_does_not_depend_on_its_company(embedder: OpenVINOEmbedder) -> None:
    texts = [text(words, seed=words) for words in (3, 20, 77, 150, 210, 400, 500, 1200)]
    together = embedder.embed(texts)
    alone = np.vstack([embedder.embed([one]) for one in texts])
    assert np.abs(together - alone).max() < 1e-3
    assert np.array_equal(embedder.embed(texts[::-1])[::-1], together)


def test_the_same_texts_give_the_same_bits(embedder: OpenVINOEmbedder) -> None:
    texts = [text(300, seed=seed) for seed in range(9)]
    assert np.array_equal(embedder.embed(texts), embedder.embed(texts))


def test_no_thread_waits_for_one_core_while_another_is_free(embedder: OpenVINOEmbedder) -> None:
    embedder.embed(["one"])
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {frozenset(os.sched_getaffinity(0))}


def test_precision_changes_a_vector_by_less_than_a_thousandth(embedder: OpenVINOEmbedder, model_cache: Path) -> None:
    texts = [text(words, seed=words) for words in (5, 60, 500)]
    exact = OpenVINOEmbedder(cache_dir=model_cache, precision="f32")
    assert (embedder.embed(texts) * exact.embed(texts)).sum(axis=1).min() > 0.999
    assert exact.model == embedder.model


def test_the_model_s_name_holds_its_weights_and_its_way_of_reading(model_cache: Path) -> None:
    assert OpenVINOEmbedder(cache_dir=model_cache).model == "all-MiniLM-L6-v2@53aa51172d14/mean-of-256"


def test_importing_the_embedder_loads_no_runtime() -> None:
    code = "import sys, ingest_assets.clients.embedding.openvino_embedder; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"openvino", "tokenizers", "numpy", "torch"}.isdisjoint(done.stdout.split())

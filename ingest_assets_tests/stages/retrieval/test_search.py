"""Test searches on a real store with a deterministic embedder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import Scope
from ingest_assets.stages.retrieval.search import search
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import DIMENSION, MODEL, Vector, chunks_of, record_of, texts_of, vector_of

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 8)
SCOPE = Scope("ada", "engines")


class HashEmbedder:
    """The same vector for the same text; how many vectors it gives too many is a setting."""

    model = MODEL
    dimension = DIMENSION

    def __init__(self, *, surplus: int = 0) -> None:
        self._surplus = surplus

    def embed(self, texts: Sequence[str]) -> Vector:
        return np.stack([vector_of(text) for text in [*texts, *["more"] * self._surplus]])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaStore]:
    store = ChromaStore(str(tmp_path_factory.mktemp("search")))
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    yield store
    store.close()


def test_the_nearest_chunk_comes_first(store: ChromaStore) -> None:
    hits = search(TEXTS[5], k=3, scope=SCOPE, embedder=HashEmbedder(), store=store)
    assert (len(hits), hits[0].chunk.text, hits[0].filename) == (3, TEXTS[5], "notes.txt")
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("query", ["", "  \n\t"])
def test_an_empty_question_is_refused(store: ChromaStore, query: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        search(query, k=3, scope=SCOPE, embedder=HashEmbedder(), store=store)


def test_a_question_as_long_as_a_book_is_refused(store: ChromaStore) -> None:
    with pytest.raises(ValueError, match="20000 characters"):
        search("x" * 20_000, k=3, scope=SCOPE, embedder=HashEmbedder(), store=store)


@pytest.mark.parametrize("k", [0, -1, 101])
def test_a_count_out_of_bounds_is_refused(store: ChromaStore, k: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        search("a question", k=k, scope=SCOPE, embedder=HashEmbedder(), store=store)


def test_an_embedder_that_answers_too_much_is_an_outside_error(store: ChromaStore) -> None:
    with pytest.raises(OutsideError, match="2 vectors"):
        search("a question", k=3, scope=SCOPE, embedder=HashEmbedder(surplus=1), store=store)

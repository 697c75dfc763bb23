"""Test what every store promises about publications that it refuses, and about those that fail halfway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    chunks_of,
    found_texts,
    publish,
    record_of,
    scope_of,
    texts_in,
    texts_of,
    vector_of,
    with_vector,
)

Opener = Callable[[], VectorStore]

NOTES = record_of("notes.txt")
NOTES_TEXTS = texts_of("notes", 12)


def refused(store: VectorStore, chunks: Iterator[EmbeddedChunk] | list[EmbeddedChunk], match: str) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    before = store.file(NOTES.file_id)
    with pytest.raises(ValueError, match=match):
        store.replace(NOTES, chunks)
    assert store.file(NOTES.file_id) == before
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS
    found = store.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
    assert found_texts(found) == set(NOTES_TEXTS)


@pytest.mark.parametrize(
    ("vector", "match"),
    [
        (np.full(DIMENSION, np.nan, dtype=np.float32), "not finite"),
        (np.full(DIMENSION, np.inf, dtype=np.float32), "not finite"),
        (np.zeros(DIMENSION, dtype=np.float32), "norm"),
        (vector_of("long") * np.float32(1.01), "norm"),
        (vector_of("other", DIMENSION + 1), "dimension"),
        (vector_of("flat").reshape(1, -1), "dimension"),
    ],
    ids=["nan", "infinite", "zero", "not unit", "other length", "matrix"],
)
def test_an_unsound_vector_is_refused_and_nothing_shows(store: VectorStore, vector: np.ndarray, match: str) -> None:
    chunks = list(chunks_of(NOTES, texts_of("new", 20)))
    chunks[15] = with_vector(chunks[15], vector)
    refused(store, chunks, match)


def test_a_chunk_id_that_comes_twice_is_refused(store: VectorStore) -> None:
    chunks = list(chunks_of(NOTES, texts_of("new", 20)))
    refused(store, [*chunks, chunks[3]], chunks[3].chunk.chunk_id)


def test_a_chunk_of_another_file_is_refused(store: VectorStore) -> None:
    refused(store, chunks_of(record_of("other.txt"), texts_of("new", 3)), "other.txt")


def test_an_iterator_that_fails_midway_leaves_the_old_generation(store: VectorStore) -> None:
    def failing() -> Iterator[EmbeddedChunk]:
        yield from chunks_of(NOTES, texts_of("new", 1200))
        raise OutsideError("the embedder is away")

    publish(store, NOTES, NOTES_TEXTS)
    with pytest.raises(OutsideError, match="embedder"):
        store.replace(NOTES, failing())
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS
    hits = store.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
    assert found_texts(hits) == set(NOTES_TEXTS)
    publish(store, NOTES, texts_of("mended", 3))
    audit = store.audit(NOTES.file_id)
    assert (audit.rows, audit.stray, audit.problems) == (3, 0, ())


def test_a_first_attempt_that_fails_shows_nothing(store: VectorStore) -> None:
    def failing() -> Iterator[EmbeddedChunk]:
        yield from chunks_of(NOTES, texts_of("new", 600))
        raise OutsideError("the embedder is away")

    with pytest.raises(OutsideError):
        store.replace(NOTES, failing())
    assert store.search(vector_of("anything"), k=10, scope=scope_of(NOTES)) == []
    assert (store.file(NOTES.file_id), store.files(), store.chunks(NOTES.file_id)) == (None, [], [])
    assert store.audit(NOTES.file_id).rows == 0
    store.delete(NOTES.file_id)
    assert store.audit(NOTES.file_id).stray == 0

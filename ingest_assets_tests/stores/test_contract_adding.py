"""Test what every store promises about chunks that are handed in one by one, and about chunks by id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    MODEL,
    chunks_of,
    publish,
    record_of,
    scope_of,
    texts_in,
    texts_of,
    vector_of,
    with_vector,
)
from ingest_assets_tests.stores.notes import HANDED_IN, NOTES, TEXTS, only


def test_chunks_handed_in_one_by_one_stand_beside_each_other(store: VectorStore) -> None:
    first = store.add(HANDED_IN, only(NOTES, TEXTS, 3))
    second = store.add(HANDED_IN, only(NOTES, TEXTS, 0, 7))
    assert texts_in(store, NOTES.file_id) == [TEXTS[0], TEXTS[3], TEXTS[7]]
    assert [(each.chunks, each.embedded, each.reused) for each in (first, second)] == [(1, 1, 0), (3, 2, 0)]
    assert (second.model, second.dimension, second.generation > first.generation) == (MODEL, DIMENSION, True)
    assert store.file(NOTES.file_id) == second
    hits = store.search(vector_of(TEXTS[3]), k=5, scope=scope_of(NOTES))
    assert {hit.chunk.text for hit in hits} == {TEXTS[0], TEXTS[3], TEXTS[7]}
    assert store.audit(NOTES.file_id).problems == ()


def test_an_addition_counts_what_was_reused(store: VectorStore) -> None:
    store.add(HANDED_IN, only(NOTES, TEXTS, 0))
    mixed = [replace(each, reused=each.chunk.index < 3) for each in only(NOTES, TEXTS, 1, 2, 3, 4)]
    kept = store.add(HANDED_IN, mixed)
    assert (kept.chunks, kept.embedded, kept.reused) == (5, 2, 2)


def test_an_addition_of_nothing_keeps_what_is_there(store: VectorStore) -> None:
    before = publish(store, NOTES, TEXTS)
    kept = store.add(NOTES, [])
    assert (kept.chunks, kept.embedded, kept.reused, kept.model) == (12, 0, 0, before.model)
    assert texts_in(store, NOTES.file_id) == TEXTS


def refused(store: VectorStore, chunks: Iterator[EmbeddedChunk] | list[EmbeddedChunk], match: str) -> None:
    store.add(HANDED_IN, only(NOTES, TEXTS, 0, 1))
    before = store.file(NOTES.file_id)
    with pytest.raises((ValueError, OutsideError), match=match):
        store.add(HANDED_IN, chunks)
    assert store.file(NOTES.file_id) == before
    assert texts_in(store, NOTES.file_id) == TEXTS[:2]
    hits = store.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
    assert sorted(hit.chunk.text for hit in hits) == sorted(TEXTS[:2])


def test_a_chunk_that_is_there_already_is_refused(store: VectorStore) -> None:
    chunks = only(NOTES, TEXTS, 1, 2)
    refused(store, chunks, chunks[0].chunk.chunk_id)


def test_a_chunk_that_comes_twice_in_an_addition_is_refused(store: VectorStore) -> None:
    chunks = only(NOTES, TEXTS, 5)
    refused(store, chunks * 2, chunks[0].chunk.chunk_id)


def test_an_unsound_vector_spoils_the_whole_addition(store: VectorStore) -> None:
    sound, unsound = only(NOTES, TEXTS, 5, 6)
    refused(store, [sound, with_vector(unsound, np.full(DIMENSION, np.nan, dtype=np.float32))], "not finite")


def test_a_chunk_of_another_model_is_refused(store: VectorStore) -> None:
    chunks = [replace(each, model="another") for each in only(NOTES, TEXTS, 5)]
    refused(store, chunks, "another")


def test_a_chunk_of_another_file_is_not_added(store: VectorStore) -> None:
    refused(store, list(chunks_of(record_of("other.txt"), TEXTS[:1])), "other.txt")


def test_an_addition_that_fails_midway_adds_nothing(store: VectorStore) -> None:
    def failing() -> Iterator[EmbeddedChunk]:
        yield from list(chunks_of(NOTES, texts_of("more", 1200)))
        raise OutsideError("the embedder is away")

    refused(store, failing(), "embedder")
    kept = store.add(HANDED_IN, only(NOTES, TEXTS, 2))
    assert (kept.chunks, texts_in(store, NOTES.file_id)) == (3, TEXTS[:3])
    assert (store.audit(NOTES.file_id).stray, store.audit(NOTES.file_id).problems) == (0, ())


def test_what_was_added_can_be_replaced_and_deleted(store: VectorStore) -> None:
    store.add(HANDED_IN, only(NOTES, TEXTS, 0, 1))
    publish(store, NOTES, TEXTS[1:4])
    assert texts_in(store, NOTES.file_id) == TEXTS[1:4]
    store.add(HANDED_IN, only(NOTES, ["x", "y", "z", "added"], 3))
    assert store.delete(NOTES.file_id) == 4
    assert store.search(vector_of("x"), k=10, scope=scope_of(NOTES)) == []


def test_chunks_are_found_by_their_ids(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    other = record_of("other.txt")
    publish(store, other, TEXTS)
    chunks = [each.chunk for each in chunks_of(NOTES, TEXTS)]
    found = store.chunks_named(NOTES.file_id, [chunks[2].chunk_id, chunks[9].chunk_id, "unheard of"])
    assert found == {chunks[2].chunk_id: chunks[2], chunks[9].chunk_id: chunks[9]}
    assert store.chunks_named(other.file_id, [chunks[2].chunk_id]) == {}
    assert store.chunks_named(NOTES.file_id, []) == {}
    with pytest.raises(ValueError, match="not empty"):
        store.chunks_named("", [chunks[2].chunk_id])

"""Test what only MongoDB does: rows that stay, writers that meet, refusals, memory."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Scope
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas.publication import BATCH
from ingest_assets.stores.atlas.rows import packed
from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets_tests.stores.atlas.failing import fail_nearby
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
from ingest_assets_tests.stores.notes import NOTES, TEXTS, found_texts, names_in
from testing.mongo import collection

slow = pytest.mark.slow


def spoil(store: AtlasStore, **fields: object) -> str:
    """Change one row behind the store's back; return its text."""
    row = collection(store).find_one_and_update({"file_id": NOTES.file_id}, {"$set": fields}, sort=[("_id", 1)])
    return str(row["text"])


def with_same_place(embedded: EmbeddedChunk) -> EmbeddedChunk:
    """Keep the characters where they were, as an edit of equal length does."""
    start = sum(len(text) + 2 for text in TEXTS[: embedded.chunk.index])
    chunk = replace(embedded.chunk, start=start, end=start + len(TEXTS[embedded.chunk.index]))
    return replace(embedded, chunk=chunk)


def test_importing_the_store_does_not_import_pymongo() -> None:
    code = "import sys, ingest_assets.stores.atlas.store; sys.exit('pymongo' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@slow
def test_rows_of_unchanged_chunks_are_not_written_again(store: AtlasStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = names_in(store)
    changed = [*TEXTS[:4], "an edited one that is exactly so", *TEXTS[5:]]
    store.replace(NOTES, (with_same_place(each) for each in chunks_of(NOTES, changed)))
    after = names_in(store)
    assert (len(before & after), len(after - before), len(before - after)) == (11, 1, 1)


@slow
def test_a_replacement_that_changes_nothing_writes_no_row(store: AtlasStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = names_in(store)
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert names_in(store) == before


@slow
def test_vectors_are_kept_bit_for_bit(store: AtlasStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    for row in store.rows(NOTES.file_id):
        assert row.vector is not None and row.vector.tobytes() == vector_of(row.chunk.text).tobytes()


@slow
def test_a_record_s_fields_are_fields_of_its_document(store: AtlasStore) -> None:
    kept = store.replace(replace(NOTES, size_bytes=2**40, seconds=3.0, warnings=("a",)), chunks_of(NOTES, TEXTS))
    document = collection(store, "files").find_one({"_id": NOTES.file_id})
    assert (document["state"], document["size_bytes"], document["chunks"]) == ("succeeded", 2**40, 12)
    assert store.file(NOTES.file_id) == kept
    assert type(kept.size_bytes) is int


@slow
def test_a_spoilt_vector_is_counted_not_handed_out_and_healed(store: AtlasStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    text = spoil(store, embedding=packed(np.full(DIMENSION, 3.0, dtype=np.float32)))
    assert (store.audit(NOTES.file_id).rows, store.audit(NOTES.file_id).not_unit) == (12, 1)
    hashes = {each.chunk.text: each.chunk.text_sha256 for each in chunks_of(NOTES, TEXTS)}
    known = store.vectors_for(MODEL, list(hashes.values()))
    assert set(known) == set(hashes.values()) - {hashes[text]}
    reused = [replace(each, reused=each.chunk.text_sha256 in known) for each in chunks_of(NOTES, TEXTS)]
    kept = store.replace(NOTES, reused)
    assert (kept.embedded, store.audit(NOTES.file_id).not_unit) == (1, 0)


@slow
@pytest.mark.parametrize("embedding", [None, [0.5, 0.5], "text"])
def test_a_row_without_a_vector_is_counted_and_never_found(store: AtlasStore, embedding: object) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    text = spoil(store, embedding=embedding)
    assert "1 rows have no vector" in store.audit(NOTES.file_id).problems
    assert found_texts(store) == sorted(set(TEXTS) - {text})


@slow
def test_a_document_of_another_application_is_never_found_counted_or_removed(store: AtlasStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    theirs = {"file_id": NOTES.file_id, "user_id": NOTES.user_id, "project_id": NOTES.project_id}
    collection(store).insert_many([theirs | {"embedding": packed(vector_of("query"))}, theirs | {"_id": "a/b"}])
    collection(store).insert_one({"file_id": "nobody's.txt"})
    assert store.audit(NOTES.file_id).stray == 0
    assert found_texts(store) == sorted(TEXTS)
    assert store.owners() == [NOTES.file_id]
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert store.delete("nobody's.txt") == 0
    store.delete(NOTES.file_id)
    assert collection(store).count_documents({}) == 3


@slow
def test_rows_that_no_generation_owns_take_no_place_among_the_answers(store: AtlasStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    fail_nearby(store)
    assert store.audit(NOTES.file_id).stray == BATCH
    assert found_texts(store, k=12) == sorted(TEXTS)


@slow
def test_vectors_of_another_length_are_refused_by_name(store: AtlasStore, opened: Callable[..., AtlasStore]) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    other = record_of("other.txt")
    longer = [with_vector(each, vector_of(each.chunk.text, 48)) for each in chunks_of(other, texts_of("other", 3))]
    with pytest.raises(ConfigError, match=r"another length.*new model"):
        store.replace(other, longer)
    with pytest.raises(ConfigError, match="another length"):
        store.search(vector_of("x", 48), k=3, scope=scope_of(NOTES))
    with pytest.raises(ConfigError, match=r"another length: 32, not 48"):
        opened(dimension=48).prepare()
    assert store.file("other.txt") is None


@slow
@pytest.mark.parametrize("shape", [{"$ne": ""}, {"$gt": ""}, ["notes.txt"], None, "", 7])
def test_nothing_but_a_text_gets_into_a_query(store: AtlasStore, shape: Any) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    attempts: list[Callable[[], object]] = [
        lambda: store.delete(shape),
        lambda: store.file(shape),
        lambda: store.chunks(shape),
        lambda: store.chunks_named(NOTES.file_id, [shape]),
        lambda: store.audit(shape),
        lambda: list(store.rows(shape)),
        lambda: store.flag(shape, {}),
        lambda: store.vectors_for(shape, ["x"]),
        lambda: store.vectors_for(MODEL, [shape]),
        lambda: store.note(replace(NOTES, file_id=shape)),
        lambda: store.replace(replace(NOTES, user_id=shape), []),
        lambda: store.search(vector_of("x"), k=1, scope=Scope(shape, "engines")),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="empty"):
            attempt()
    assert found_texts(store) == sorted(TEXTS)


def test_a_space_s_name_is_plain() -> None:
    with pytest.raises(ValueError, match="letters"):
        AtlasStore("mongodb://127.0.0.1/", dimension=2, space="a.b$c")


@slow
def test_text_that_no_store_can_write_is_refused(store: AtlasStore) -> None:
    (embedded,) = chunks_of(NOTES, ["x"])
    with pytest.raises(ValueError, match="surrogate"):
        store.replace(NOTES, [replace(embedded, chunk=replace(embedded.chunk, text="half \ud83d a pair"))])
    assert store.file(NOTES.file_id) is None


@slow
def test_a_long_document_is_written_in_flat_memory(store: AtlasStore) -> None:
    long = CountedChunks(chunks_of(NOTES, texts_of("long", 20_000)))
    assert store.replace(NOTES, long).chunks == 20_000
    assert long.most <= 3 * BATCH
    assert [chunk.index for chunk in store.chunks(NOTES.file_id, limit=3, offset=19_990)] == [19_990, 19_991, 19_992]


@slow
def test_exact_search_holds_a_batch_of_vectors_whatever_the_number_of_rows(store: AtlasStore) -> None:
    def peak(rows: int) -> int:
        store.replace(NOTES, chunks_of(NOTES, texts_of("many", rows)))
        tracemalloc.start()
        store.search(vector_of("x"), k=10, scope=scope_of(NOTES))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(12_000) < 1.3 * peak(3_000)

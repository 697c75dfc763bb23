"""Test what only Chroma does: ids, refusals, rows that no generation owns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.ledger_records import EVERYTHING
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.chroma.client import ChromaCollections
from ingest_assets.stores.chroma.publish import BATCH
from ingest_assets.stores.chroma.read import row_names
from ingest_assets.stores.chroma.search import ChromaSearch
from ingest_assets.stores.chroma.store import ChromaStore
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
from ingest_assets_tests.stores.chroma.damage import spoil

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)


def names_in(store: ChromaStore) -> set[str]:
    with store._access.reading() as handle:
        return set(row_names(handle, NOTES.file_id))


def test_importing_the_store_does_not_import_chroma() -> None:
    code = (
        "import sys, ingest_assets.stores.chroma.store; sys.exit('chromadb' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rows_of_unchanged_chunks_are_not_written_again(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = names_in(store)
    changed = [*TEXTS[:4], "an edited one that is exactly so", *TEXTS[5:]]
    store.replace(NOTES, (with_same_place(each) for each in chunks_of(NOTES, changed)))
    after = names_in(store)
    assert (len(before & after), len(after - before), len(before - after)) == (11, 1, 1)


def with_same_place(embedded: EmbeddedChunk) -> EmbeddedChunk:
    """Keep the characters where they were, as an edit of equal length does."""
    start = sum(len(text) + 2 for text in TEXTS[: embedded.chunk.index])
    chunk = replace(embedded.chunk, start=start, end=start + len(TEXTS[embedded.chunk.index]))
    return replace(embedded, chunk=chunk)


def test_a_replacement_that_changes_nothing_writes_no_row(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = names_in(store)
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert names_in(store) == before


def test_a_chunk_that_only_moved_keeps_its_vector_in_a_new_row(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = names_in(store)
    store.replace(NOTES, chunks_of(NOTES, ["first", *TEXTS]))
    assert names_in(store).isdisjoint(before)
    assert len(names_in(store)) == 13


def test_vectors_of_another_length_are_refused_by_name(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    other = record_of("other.txt")
    longer = [with_vector(each, vector_of(each.chunk.text, 48)) for each in chunks_of(other, texts_of("other", 3))]
    with pytest.raises(ConfigError, match=r"another length.*new model"):
        store.replace(other, longer)
    with pytest.raises(ConfigError, match="another length"):
        store.search(vector_of("x", 48), k=3, scope=scope_of(NOTES))
    assert store.file("other.txt") is None
    assert len(store.chunks(NOTES.file_id)) == 12


def test_a_spoilt_vector_is_counted_not_handed_out_and_healed(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    text = spoil(store, NOTES.file_id, embeddings=np.full(DIMENSION, 3.0, dtype=np.float32))
    assert (store.audit(NOTES.file_id).rows, store.audit(NOTES.file_id).not_unit) == (12, 1)
    hashes = {each.chunk.text: each.chunk.text_sha256 for each in chunks_of(NOTES, TEXTS)}
    known = store.vectors_for(MODEL, list(hashes.values()))
    assert set(known) == set(hashes.values()) - {hashes[text]}
    reused = [replace(each, reused=each.chunk.text_sha256 in known) for each in chunks_of(NOTES, TEXTS)]
    kept = store.replace(NOTES, reused)
    assert (kept.embedded, store.audit(NOTES.file_id).not_unit) == (1, 0)


def test_an_audit_finds_rows_of_another_model(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    spoil(store, NOTES.file_id, metadatas={"model": "another"})
    assert store.audit(NOTES.file_id).wrong_model == 1


def test_an_audit_finds_rows_that_are_missing_and_rows_that_are_over(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    spoil(store, NOTES.file_id, metadatas={"until": 1})
    audit = store.audit(NOTES.file_id)
    assert (audit.rows, audit.stray) == (11, 1)
    assert "12 chunks, 11 rows" in audit.problems[0]


def test_rows_that_no_generation_owns_take_no_place_among_the_answers(store: ChromaStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))

    def failing() -> Iterator[EmbeddedChunk]:
        near = vector_of("query")
        for each in chunks_of(NOTES, texts_of("nearer", BATCH)):
            yield with_vector(each, near)
        raise OutsideError("away")

    with pytest.raises(OutsideError):
        store.replace(NOTES, failing())
    assert store.audit(NOTES.file_id).stray == BATCH
    hits = store.search(vector_of("query"), k=12, scope=scope_of(NOTES))
    assert sorted(hit.chunk.text for hit in hits) == sorted(TEXTS)


class Interrupted:
    """A reader's turns at a server, in which something happens between its look at the rows and at the ledger."""

    steady, scopes, remembered = False, None, None

    def __init__(self, store: ChromaStore, happens: Callable[[], object]) -> None:
        self._access, self._happens = store._access, happens
        self.location, self.looks = store._access.location, 0

    @contextmanager
    def reading(self) -> Iterator[ChromaCollections]:
        with self._access.reading() as handle:
            yield replace(handle, chunks=self)

    def query(self, **query: Any) -> Any:
        with self._access.reading() as handle:
            answer = handle.chunks.query(**query)
        self.looks += 1
        if self.looks <= 2:
            self._happens()
        return answer


@pytest.mark.slow
def test_a_search_that_a_publication_overtakes_sees_the_new_document(chroma_server: Callable[[], ChromaStore]) -> None:
    reader, writer = chroma_server(), chroma_server()
    turns = count(1)

    def republish() -> None:
        writer.replace(NOTES, chunks_of(NOTES, texts_of(f"version {next(turns)}", 12)))

    republish()
    overtaken = Interrupted(reader, republish)
    search = ChromaSearch(overtaken)  # type: ignore[arg-type]  # what is used of a ChromaAccess
    hits = search.nearest(vector_of("x"), k=50, scope=scope_of(NOTES), filters=EVERYTHING)
    assert {hit.chunk.text for hit in hits} == set(texts_of("version 3", 12))
    assert overtaken.looks == 3
    reader.close()
    writer.close()


@pytest.mark.slow
def test_a_long_document_is_written_in_flat_memory(store: ChromaStore) -> None:
    long = CountedChunks(chunks_of(NOTES, texts_of("long", 20_000)))
    assert store.replace(NOTES, long).chunks == 20_000
    assert long.most <= 3 * BATCH
    assert [chunk.index for chunk in store.chunks(NOTES.file_id, limit=3, offset=19_990)] == [19_990, 19_991, 19_992]


def test_text_that_no_store_can_write_is_refused(store: ChromaStore) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        store.replace(NOTES, [replace_text(each, "half \ud83d a pair") for each in chunks_of(NOTES, ["x"])])
    assert store.file(NOTES.file_id) is None


def replace_text(embedded: EmbeddedChunk, text: str) -> EmbeddedChunk:
    return replace(embedded, chunk=replace(embedded.chunk, text=text))

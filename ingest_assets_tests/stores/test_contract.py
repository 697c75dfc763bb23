"""Test what every store promises about replacing, noting and deleting, on each real one (`conftest.py`)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_assets.ledger_records import State
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    MODEL,
    chunks_of,
    found_texts,
    publish,
    record_of,
    scope_of,
    texts_in,
    texts_of,
    vector_of,
)

Opener = Callable[[], VectorStore]

NOTES = record_of("notes.txt")
NOTES_TEXTS = texts_of("notes", 12)


def test_what_is_replaced_is_what_is_there(store: VectorStore) -> None:
    kept = publish(store, NOTES, NOTES_TEXTS)
    assert store.chunks(NOTES.file_id) == [embedded.chunk for embedded in chunks_of(NOTES, NOTES_TEXTS)]
    assert store.file(NOTES.file_id) == kept
    assert (kept.chunks, kept.embedded, kept.reused) == (12, 12, 0)
    assert (kept.model, kept.dimension, kept.generation > 0) == (MODEL, DIMENSION, True)


def test_replacing_twice_equals_once(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    once = store.chunks(NOTES.file_id)
    publish(store, NOTES, NOTES_TEXTS)
    assert store.chunks(NOTES.file_id) == once
    assert store.audit(NOTES.file_id).rows == 12
    assert store.audit(NOTES.file_id).stray == 0


@pytest.mark.parametrize("count", [5, 30, 0])
def test_a_file_shrinks_and_grows(store: VectorStore, count: int) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    kept = publish(store, NOTES, texts_of("notes", count))
    assert texts_in(store, NOTES.file_id) == texts_of("notes", count)
    assert (kept.chunks, store.audit(NOTES.file_id).rows, store.audit(NOTES.file_id).stray) == (count, count, 0)
    found = store.search(vector_of(NOTES_TEXTS[11]), k=100, scope=scope_of(NOTES))
    assert found_texts(found) == set(texts_of("notes", count))


def test_an_inserted_paragraph_moves_the_others_on(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    moved = ["a new beginning", *NOTES_TEXTS]
    publish(store, NOTES, moved)
    assert store.chunks(NOTES.file_id) == [embedded.chunk for embedded in chunks_of(NOTES, moved)]
    assert store.audit(NOTES.file_id).problems == ()


def test_the_same_text_twice_in_a_document_is_two_chunks(store: VectorStore) -> None:
    publish(store, NOTES, ["same", "other", "same"])
    assert texts_in(store, NOTES.file_id) == ["same", "other", "same"]


def test_two_documents_with_equal_text_do_not_share_rows(store: VectorStore) -> None:
    copy = record_of("copy.txt")
    publish(store, NOTES, NOTES_TEXTS)
    publish(store, copy, NOTES_TEXTS)
    publish(store, NOTES, [])
    assert texts_in(store, copy.file_id) == NOTES_TEXTS


def test_two_documents_with_equal_chunk_ids_do_not_share_rows(store: VectorStore) -> None:
    copy = record_of("copy.txt")
    publish(store, NOTES, NOTES_TEXTS)
    same_ids = [
        replace(embedded, chunk=replace(embedded.chunk, file_id=copy.file_id))
        for embedded in chunks_of(NOTES, NOTES_TEXTS)
    ]
    store.replace(copy, same_ids)
    assert texts_in(store, copy.file_id) == NOTES_TEXTS
    store.delete(copy.file_id)
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS


def test_the_record_counts_what_was_reused(store: VectorStore) -> None:
    mixed = [replace(each, reused=each.chunk.index < 5) for each in chunks_of(NOTES, NOTES_TEXTS)]
    kept = store.replace(NOTES, mixed)
    assert (kept.chunks, kept.embedded, kept.reused) == (12, 7, 5)


def test_a_second_store_on_the_same_place_sees_each_change(open_store: Opener) -> None:
    writer, reader = open_store(), open_store()
    for count in (3, 12, 1):
        publish(writer, NOTES, texts_of("notes", count))
        assert texts_in(reader, NOTES.file_id) == texts_of("notes", count)
        found = reader.search(vector_of("anything"), k=50, scope=scope_of(NOTES))
        assert found_texts(found) == set(texts_of("notes", count))


def test_two_stores_write_in_turns_and_lose_nothing(open_store: Opener) -> None:
    first, second = open_store(), open_store()
    for turn in range(4):
        publish(first, record_of("a.txt", version=str(turn)), texts_of(f"a{turn}", 20))
        publish(second, record_of("b.txt", version=str(turn)), texts_of(f"b{turn}", 20))
    for store in (first, second):
        found = store.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
        assert found_texts(found) == {*texts_of("a3", 20), *texts_of("b3", 20)}


def test_two_writers_at_once_on_two_files_both_succeed(open_store: Opener) -> None:
    stores = [open_store(), open_store()]

    def write(index: int) -> None:
        for turn in range(3):
            publish(stores[index], record_of(f"{index}.txt"), texts_of(f"{index}-{turn}", 700))

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(2)))  # raises what a writer raised
    for index in range(2):
        assert texts_in(stores[0], f"{index}.txt") == texts_of(f"{index}-2", 700)
        assert stores[1].audit(f"{index}.txt").problems == ()


@pytest.mark.slow
def test_a_reader_never_sees_half_a_replacement(open_store: Opener) -> None:
    reader, writer = open_store(), open_store()
    publish(writer, NOTES, texts_of("version 0", 40))
    seen = set()

    def write() -> None:
        for turn in range(1, 15):
            publish(writer, NOTES, texts_of(f"version {turn}", 40))

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not writing.done():
            hits = reader.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
            versions = {hit.chunk.text.partition(":")[0] for hit in hits}
            assert (len(hits), len(versions)) == (40, 1), versions
            seen |= versions
        writing.result()
    assert len(seen) > 1


def test_delete_removes_chunks_and_record(store: VectorStore) -> None:
    other = record_of("other.txt")
    publish(store, NOTES, NOTES_TEXTS)
    publish(store, other, texts_of("other", 4))
    assert store.delete(NOTES.file_id) == 12
    assert (store.file(NOTES.file_id), store.chunks(NOTES.file_id)) == (None, [])
    hits = store.search(vector_of(NOTES_TEXTS[0]), k=100, scope=scope_of(NOTES))
    assert found_texts(hits) == set(texts_of("other", 4))
    assert store.audit(NOTES.file_id).stray == 0


def test_deleting_what_is_not_there_removes_nothing(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    assert store.delete("unknown.txt") == 0
    assert store.delete(NOTES.file_id) == 12
    assert store.delete(NOTES.file_id) == 0


def test_an_empty_name_never_means_everything(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    with pytest.raises(ValueError, match="not empty"):
        store.delete("")
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS


def test_a_file_put_back_after_delete_is_there_again(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    store.delete(NOTES.file_id)
    publish(store, NOTES, NOTES_TEXTS[:4])
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS[:4]
    assert store.audit(NOTES.file_id).problems == ()


def test_a_failed_attempt_is_noted_and_the_chunks_stay(store: VectorStore) -> None:
    published = publish(store, NOTES, NOTES_TEXTS)
    failed = replace(NOTES, state=State.FAILED, error="page 3 is encrypted", version="v2")
    noted = store.note(failed)
    assert store.file(NOTES.file_id) == noted
    assert (noted.state, noted.error, noted.version) == (State.FAILED, "page 3 is encrypted", "v2")
    assert (noted.generation, noted.chunks, noted.model) == (published.generation, 12, MODEL)
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS
    hits = store.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
    assert len(hits) == 12


def test_a_first_attempt_that_failed_is_listed(store: VectorStore) -> None:
    store.note(replace(NOTES, state=State.FAILED, error="empty", chunks=7))
    (listed,) = store.files()
    assert (listed.state, listed.chunks, listed.generation) == (State.FAILED, 0, 0)
    publish(store, NOTES, NOTES_TEXTS)
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS


FILES = ["one.txt", "two.txt", "three.txt"]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(FILES),
        st.one_of(
            st.none(),
            st.just("note"),
            st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon"]), max_size=7),
        ),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=CHANGES)
def test_any_sequence_of_changes_equals_a_dictionary(store: VectorStore, changes: list[tuple[str, object]]) -> None:
    for name in FILES:
        store.delete(name)
    expected: dict[str, list[str]] = {}
    for name, change in changes:
        record = record_of(name)
        if change is None:
            assert store.delete(name) == len(expected.pop(name, []))
        elif change == "note":
            store.note(replace(record, state=State.FAILED))
            expected.setdefault(name, [])
        else:
            assert isinstance(change, list)
            publish(store, record, change)
            expected[name] = change
        assert {each: texts_in(store, each) for each in expected} == expected
        hits = store.search(vector_of("anything"), k=100, scope=scope_of(NOTES))
        assert sorted(hit.chunk.text for hit in hits) == sorted(text for texts in expected.values() for text in texts)
    assert [record.file_id for record in store.files()] == sorted(expected)
    assert all(store.audit(name).problems == () for name in expected)

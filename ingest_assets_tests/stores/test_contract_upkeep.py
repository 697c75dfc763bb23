"""Test what every store promises about rows, owners, flags and spaces."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

import numpy as np
import pytest

from ingest_assets.ledger_records import Flags
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import ConnectionCounts, VectorStore
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
)
from ingest_assets_tests.stores.conftest import Opener
from ingest_assets_tests.stores.notes import NOTES, TEXTS, in_force
from testing.damage import lose_rows


def test_rows_tell_all_that_is_kept(store: VectorStore) -> None:
    kept = publish(store, NOTES, TEXTS)
    rows = list(store.rows(NOTES.file_id))
    assert [row.chunk for row in rows] == [each.chunk for each in chunks_of(NOTES, TEXTS)]
    assert len({row.name for row in rows}) == 12
    for row in rows:
        assert row.vector is not None
        np.testing.assert_allclose(row.vector, vector_of(row.chunk.text), atol=1e-6)
        assert (row.model, row.dimension, row.generation, row.in_force) == (MODEL, DIMENSION, kept.generation, True)
        assert (row.user_id, row.project_id, row.filename) == (NOTES.user_id, NOTES.project_id, NOTES.filename)
        assert (row.source, row.media_type, row.flags) == (NOTES.key, NOTES.media_type, None)
        assert datetime.fromisoformat(row.created).utcoffset() is not None


def test_connections_are_counted_where_the_library_counts_them(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    counts = store.connections()
    if isinstance(store, ChromaStore):
        assert counts is None
        return
    assert counts is not None
    assert (counts.in_use, counts.waiting) == (0, 0)
    assert counts.idle > 0
    store.close()
    assert store.connections() == ConnectionCounts(in_use=0, idle=0, waiting=0)


def test_rows_of_a_long_document_come_in_order(store: VectorStore) -> None:
    texts = texts_of("long", 1300)
    publish(store, NOTES, texts)
    assert [row.chunk.text for row in in_force(store, NOTES.file_id)] == texts


def test_rows_of_an_unknown_file_are_none(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    assert list(store.rows("unknown.txt")) == []
    with pytest.raises(ValueError, match="not empty"):
        list(store.rows(""))


def test_a_listing_of_rows_may_be_left_early(store: VectorStore) -> None:
    publish(store, NOTES, texts_of("long", 1300))
    for _ in range(10):
        rows = store.rows(NOTES.file_id)
        assert next(rows).chunk.index == 0
        assert isinstance(rows, Generator)
        rows.close()
    assert publish(store, NOTES, TEXTS).chunks == 12


def test_rows_say_which_generation_wrote_them(store: VectorStore) -> None:
    first = publish(store, NOTES, TEXTS)
    changed = list(chunks_of(NOTES, TEXTS))
    changed[11] = list(chunks_of(NOTES, [*TEXTS[:11], "of the new one"]))[11]
    second = store.replace(NOTES, changed)
    generations = [row.generation for row in in_force(store, NOTES.file_id)]
    assert generations == [first.generation] * 11 + [second.generation]


def test_owners_are_listed_in_order_page_by_page(store: VectorStore) -> None:
    names = [f"file {number:02}.txt" for number in (7, 3, 9, 1, 5, 0)] + ["ümlaut.txt", "Z.txt", "a.txt", "🙂.txt"]
    for name in names:
        publish(store, record_of(name), texts_of(name, 3))
    store.note(record_of("noted only.txt"))
    expected = sorted([*names, "noted only.txt"])
    assert store.owners() == expected
    pages, after = [], ""
    while page := store.owners(after=after, limit=4):
        pages.append(page)
        after = page[-1]
    assert pages == [expected[:4], expected[4:8], expected[8:]]


def test_an_empty_store_has_no_owners(store: VectorStore) -> None:
    assert store.owners() == []
    publish(store, NOTES, TEXTS)
    store.delete(NOTES.file_id)
    assert store.owners() == []


def test_rows_that_were_lost_are_told_and_published_again(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    names = [row.name for row in in_force(store, NOTES.file_id)]
    lose_rows(store, NOTES.file_id, [names[0], names[5]])
    assert texts_in(store, NOTES.file_id) == [text for index, text in enumerate(TEXTS) if index not in (0, 5)]
    assert store.audit(NOTES.file_id).problems != ()
    publish(store, NOTES, TEXTS)
    assert (texts_in(store, NOTES.file_id), store.audit(NOTES.file_id).problems) == (TEXTS, ())


def test_flags_are_set_by_name(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    names = [row.name for row in in_force(store, NOTES.file_id)]
    flags = {names[1]: Flags(rag_strict=True, source_only=False), names[2]: Flags(rag_strict=False, source_only=True)}
    assert store.flag(NOTES.file_id, flags) == 2
    found = [row.flags for row in in_force(store, NOTES.file_id)]
    assert found == [None, flags[names[1]], flags[names[2]], *[None] * 9]
    assert store.flag(NOTES.file_id, {}) == 0
    assert texts_in(store, NOTES.file_id) == TEXTS
    hits = store.search(vector_of(TEXTS[1]), k=1, scope=scope_of(NOTES))
    assert hits[0].chunk.text == TEXTS[1]


def test_flags_stay_with_rows_that_do_not_change(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    (first, *_) = in_force(store, NOTES.file_id)
    flags = Flags(rag_strict=True, source_only=True)
    store.flag(NOTES.file_id, {first.name: flags})
    publish(store, NOTES, TEXTS[:6])
    assert [row.flags for row in in_force(store, NOTES.file_id)] == [flags, *[None] * 5]


def test_a_compacted_store_is_the_same_store(store: VectorStore) -> None:
    for count in (300, 5, 200):
        publish(store, NOTES, texts_of("notes", count))
    before = store.search(vector_of("x"), k=20, scope=scope_of(NOTES))
    assert store.compact().strip()
    assert store.search(vector_of("x"), k=20, scope=scope_of(NOTES)) == before
    assert (store.audit(NOTES.file_id).rows, store.audit(NOTES.file_id).problems) == (200, ())


def test_the_first_space_is_in_use_and_cannot_be_dropped(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    assert store.current_space() == ""
    with pytest.raises(ValueError, match="in use"):
        store.drop()
    assert texts_in(store, NOTES.file_id) == TEXTS


def test_spaces_of_a_place_know_nothing_of_each_other(open_store: Opener) -> None:
    first, second = open_store(), open_store("second")
    publish(first, NOTES, TEXTS)
    assert (second.files(), second.owners(), list(second.rows(NOTES.file_id))) == ([], [], [])
    publish(second, NOTES, TEXTS[:3])
    assert (texts_in(first, NOTES.file_id), texts_in(second, NOTES.file_id)) == (TEXTS, TEXTS[:3])
    second.delete(NOTES.file_id)
    assert len(first.search(vector_of("x"), k=50, scope=scope_of(NOTES))) == 12


def test_a_switch_makes_another_space_the_one_in_use(open_store: Opener) -> None:
    first, second = open_store(), open_store("second")
    publish(first, NOTES, TEXTS)
    publish(second, NOTES, TEXTS[:3])
    first.switch("second")
    assert (first.current_space(), second.current_space()) == ("second", "second")
    with pytest.raises(ValueError, match="in use"):
        second.drop()
    first.drop()
    assert texts_in(second, NOTES.file_id) == TEXTS[:3]
    again = open_store()
    assert (again.files(), again.current_space()) == ([], "second")
    again.switch("")
    assert second.current_space() == ""


def test_a_space_that_was_dropped_can_be_made_anew(open_store: Opener) -> None:
    second = open_store("second")
    publish(second, NOTES, TEXTS)
    second.drop()
    anew = open_store("second")
    assert anew.files() == []
    publish(anew, NOTES, TEXTS[:2])
    assert texts_in(anew, NOTES.file_id) == TEXTS[:2]

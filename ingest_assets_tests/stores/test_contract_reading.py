"""Test what every store promises about searching, listing and auditing, on each real one (`conftest.py`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ingest_assets.ledger_records import Hit, Scope
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
)

Opener = Callable[[], VectorStore]

NOTES = record_of("notes.txt")
NOTES_TEXTS = texts_of("notes", 12)


def found_texts(hits: list[Hit]) -> set[str]:
    return {hit.chunk.text for hit in hits}


def test_search_orders_by_exact_cosine(store: VectorStore) -> None:
    texts = texts_of("notes", 300)
    publish(store, NOTES, texts)
    for query in (vector_of("one"), vector_of("two"), vector_of(texts[17])):
        cosines = {text: float(vector_of(text) @ query) for text in texts}
        expected = sorted(texts, key=lambda text: -cosines[text])[:10]
        hits = store.search(query, k=10, scope=scope_of(NOTES))
        assert [hit.chunk.text for hit in hits] == expected
        assert [hit.score for hit in hits] == pytest.approx([cosines[text] for text in expected], abs=1e-5)
    assert store.search(vector_of(texts[17]), k=1, scope=scope_of(NOTES))[0].score <= 1.0


def test_a_hit_says_where_it_comes_from(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    (hit,) = store.search(vector_of(NOTES_TEXTS[7]), k=1, scope=scope_of(NOTES))
    assert hit.chunk == list(chunks_of(NOTES, NOTES_TEXTS))[7].chunk
    assert hit.filename == "notes.txt"


def test_search_keeps_users_and_projects_apart(store: VectorStore) -> None:
    owners = [("ada", "engines"), ("ada", "letters"), ("bob", "engines"), ("ad", "aengines"), ("$ne", "ada")]
    for user_id, project_id in owners:
        record = record_of(f"{user_id}-{project_id}.txt", user_id=user_id, project_id=project_id)
        publish(store, record, texts_of(f"{user_id} {project_id}", 5))
    for user_id, project_id in owners:
        scope = Scope(user_id, project_id)
        hits = store.search(vector_of("ada engines: paragraph 0"), k=50, scope=scope)
        assert found_texts(hits) == set(texts_of(f"{user_id} {project_id}", 5))
        assert [record.file_id for record in store.files(scope)] == [f"{user_id}-{project_id}.txt"]
    assert store.search(vector_of("x"), k=5, scope=Scope("ada", "nothing")) == []


def test_projects_are_those_of_one_user_that_have_a_record(store: VectorStore) -> None:
    for user_id, project_id, name in (
        ("ada", "letters", "a.txt"),
        ("ada", "engines", "b.txt"),
        ("ada", "engines", "c.txt"),
        ("ad", "aengines", "d.txt"),
        ("bob", "gone", "e.txt"),
    ):
        record = record_of(name, user_id=user_id, project_id=project_id)
        publish(store, record, texts_of(name, 1))
    store.note(record_of("empty.txt", user_id="bob", project_id="noted"))
    store.delete("e.txt")
    assert [store.projects(user) for user in ("ada", "ad", "bob", "eve")] == [
        ["engines", "letters"],
        ["aengines"],
        ["noted"],
        [],
    ]
    everybody: object = {"$ne": "nobody"}
    with pytest.raises(ValueError, match="not empty"):
        store.projects(everybody)  # type: ignore[arg-type]  # what a caller in error may give


def test_a_filter_cannot_be_turned_into_an_operator(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    everybody: object = {"$ne": "nobody"}
    with pytest.raises(ValueError, match="as texts"):
        store.search(vector_of("x"), k=5, scope=Scope(everybody, "engines"))  # type: ignore[arg-type]  # what a caller in error may give
    with pytest.raises(ValueError, match="not empty"):
        store.delete(everybody)  # type: ignore[arg-type]  # what a caller in error may give
    assert texts_in(store, NOTES.file_id) == NOTES_TEXTS


def test_search_refuses_what_cannot_be_compared(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    with pytest.raises(ValueError, match="not finite"):
        store.search(np.full(DIMENSION, np.nan, dtype=np.float32), k=5, scope=scope_of(NOTES))
    with pytest.raises(ValueError, match="at least one"):
        store.search(vector_of("x"), k=0, scope=scope_of(NOTES))


def test_an_empty_store_answers(store: VectorStore) -> None:
    assert store.search(vector_of("x"), k=5, scope=scope_of(NOTES)) == []
    assert store.vectors_for(MODEL, ["0" * 64]) == {}
    assert (store.files(), store.chunks("unknown"), store.audit("unknown").rows) == ([], [], 0)


def test_vectors_are_found_by_text_and_model(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    hashes = [embedded.chunk.text_sha256 for embedded in chunks_of(NOTES, NOTES_TEXTS)]
    found = store.vectors_for(MODEL, [*hashes, "0" * 64, hashes[0]])
    assert set(found) == set(hashes)
    for text, text_sha256 in zip(NOTES_TEXTS, hashes, strict=True):
        np.testing.assert_allclose(found[text_sha256], vector_of(text), atol=1e-6)
    assert store.vectors_for("another model", hashes) == {}
    assert store.vectors_for(MODEL, []) == {}


def test_files_are_listed_by_name_page_by_page(store: VectorStore) -> None:
    names = [f"file {number:02}.txt" for number in (7, 3, 9, 1, 5, 0)]
    for name in names:
        publish(store, record_of(name), [f"{name} text"])
    publish(store, record_of("theirs.txt", user_id="bob"), ["theirs"])
    pages = [store.files(scope_of(NOTES), limit=4, offset=offset) for offset in (0, 4, 8)]
    assert [[record.file_id for record in page] for page in pages] == [sorted(names)[:4], sorted(names)[4:], []]
    assert len(store.files()) == 7


def test_chunks_are_listed_page_by_page_in_document_order(store: VectorStore) -> None:
    texts = texts_of("long", 25)
    publish(store, NOTES, texts)
    pages = [store.chunks(NOTES.file_id, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [[chunk.text for chunk in page] for page in pages] == [texts[:10], texts[10:20], texts[20:], []]


@pytest.mark.parametrize(
    "name", ["naïve café – 日本語 🙂.txt", 'o\'brien "quoted".txt', "a\\b%20{$ne}[0].txt", "x" * 700, " "]
)
def test_names_of_every_kind_are_kept(store: VectorStore, name: str) -> None:
    record = record_of(name, user_id="u\"'é$", project_id="p,p")
    publish(store, record, [f"text of {name[:20]}", "it's “quoted” \\ {$gt: 1}\nsecond line\ttab \x07 🙂"])
    assert store.file(name) is not None
    assert [each.file_id for each in store.files(scope_of(record))] == [name]
    hits = store.search(vector_of("anything"), k=5, scope=scope_of(record))
    assert found_texts(hits) == set(texts_in(store, name))
    assert {hit.filename for hit in hits} == {name}
    assert store.delete(name) == 2


def test_an_audit_counts_the_rows(store: VectorStore) -> None:
    publish(store, NOTES, NOTES_TEXTS)
    audit = store.audit(NOTES.file_id)
    assert (audit.rows, audit.stray, audit.problems) == (12, 0, ())
    assert (audit.wrong_dimension, audit.not_finite, audit.not_unit, audit.wrong_model) == (0, 0, 0, 0)

"""Test on every store that chunks which clients cut are answered one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_assets.ledger_records import Origin, Scope
from ingest_assets.stages.client_chunks import ClientChunk
from ingest_assets.stages.prechunk import Answer, Status, add_entity_chunks
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import (
    publish,
    texts_in,
    vector_of,
)
from ingest_assets_tests.stores.fakes import CountingEmbedder
from ingest_assets_tests.stores.upkeep import NOTES, SCOPE, line, put


def test_each_chunk_is_answered(store: VectorStore) -> None:
    first = put(store, [line("c1", "one"), line("c2", "two"), line("c1", "one"), line("c1", "other")])
    assert [answer.status for answer in first] == [
        Status.INSERTED,
        Status.INSERTED,
        Status.IDENTICAL,
        Status.CONFLICT,
    ]
    again = put(store, [line("c2", "two"), line("c1", "changed"), line("c3", "three", index=2, pages=[4])])
    assert [answer.status for answer in again] == [Status.IDENTICAL, Status.CONFLICT, Status.INSERTED]
    (record,) = store.files(SCOPE)
    assert (record.chunks, record.origin, record.filename) == (3, Origin.CLIENT, "manual")
    assert sorted(texts_in(store, record.file_id)) == ["one", "three", "two"]
    assert store.audit(record.file_id).problems == ()
    (hit,) = store.search(vector_of("three"), k=1, scope=SCOPE)
    assert (hit.chunk.chunk_id, hit.chunk.pages, hit.filename) == ("c3", (4,), "manual")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not a chunk"),
        (b'{"doc_id": "manual", "chunk_id": "c9"}', "text"),
        (line("c9", "   "), "text is empty"),
        (line("", "words"), "chunk_id"),
        (line("c9", "nul \0 here"), "NUL"),
        (line("c9", "words", doc_id="a\0b"), "NUL"),
        (line("c" * 300, "words"), "256"),
        (line("c9", "words", pages=[0]), "pages"),
        (line("c9", "words", colour="red"), "colour"),
        (line("c9", "words", doc_id="../../bob/secrets"), "USER/PROJECT"),
        (b'{"doc_id": "manual", "chunk_id": "c9", "text": "' + b"x" * 1_100_000 + b'"}', "longer than"),
        (b"\xff\xfe", "not a chunk"),
    ],
    ids=[
        "json",
        "no text",
        "blank",
        "no id",
        "nul",
        "nul in the name",
        "long id",
        "page 0",
        "unknown",
        "escape",
        "long",
        "bytes",
    ],
)
def test_what_is_no_chunk_is_rejected_and_the_others_go_in(store: VectorStore, bad: object, reason: str) -> None:
    answers = put(store, [line("c1", "one"), bad, line("c2", "two")])
    assert [answer.status for answer in answers] == [Status.INSERTED, Status.REJECTED, Status.INSERTED]
    assert reason in answers[1].reason
    assert [record.chunks for record in store.files()] == [2]


def test_no_client_reaches_another_owners_document(store: VectorStore) -> None:
    put(store, [line("c1", "one")])
    put(store, [line("c1", "theirs")], scope=Scope("bob", "engines"))
    assert [texts_in(store, record.file_id) for record in store.files(SCOPE)] == [["one"]]
    assert [texts_in(store, record.file_id) for record in store.files(Scope("bob", "engines"))] == [["theirs"]]


def test_a_file_of_the_bucket_and_a_document_of_the_same_name_are_two(store: VectorStore) -> None:
    publish(store, replace(NOTES, file_id="ada:engines:manual", filename="manual"), [])
    put(store, [line("c1", "one")])
    assert len(store.files(SCOPE)) == 2


CLIENT_CHUNK = st.tuples(
    st.sampled_from(["one", "two"]),
    st.sampled_from(["c1", "c2", "c3"]),
    st.sampled_from(["x", "y"]),
    st.integers(0, 3),
)


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(chunks=st.lists(CLIENT_CHUNK, max_size=12), cut=st.integers(0, 12))
def test_any_sequence_of_chunks_equals_a_dictionary(
    store: VectorStore, chunks: list[tuple[str, str, str, int]], cut: int
) -> None:
    for record in store.files():
        store.delete(record.file_id)
    expected: dict[tuple[str, str], tuple[str, int]] = {}
    for part in (chunks[:cut], chunks[cut:]):
        answers = put(store, [line(chunk_id, text, doc_id=doc, index=index) for doc, chunk_id, text, index in part])
        for answer, (doc, chunk_id, text, index) in zip(answers, part, strict=True):
            there = expected.setdefault((doc, chunk_id), (text, index))
            assert (answer.status is Status.CONFLICT) == (there != (text, index))
    found = {
        (record.filename, chunk.chunk_id): (chunk.text, chunk.index)
        for record in store.files(SCOPE)
        for chunk in store.chunks(record.file_id)
    }
    assert found == expected


def test_a_clients_own_fields_are_content(store: VectorStore) -> None:
    fields = {"tokens": 3, "by": "cutter"}
    put(store, [line("c1", "one", metadata=fields)])
    again = put(
        store, [line("c1", "one", metadata=dict(reversed(fields.items()))), line("c1", "one", metadata={"tokens": 4})]
    )
    assert [answer.status for answer in again] == [Status.IDENTICAL, Status.CONFLICT]
    (record,) = store.files(SCOPE)
    assert [chunk.metadata for chunk in store.chunks(record.file_id)] == [fields]


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"a": "nul \0"}, "NUL"),
        ({"nul \0": 1}, "NUL"),
        ({"a": "x" * 20_001}, "at most 20000"),
        ({"a": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}, "flatter"),
        (["a"], "metadata"),
    ],
    ids=["nul", "nul in a name", "long", "deep", "list"],
)
def test_fields_that_no_store_keeps_are_rejected(store: VectorStore, metadata: object, reason: str) -> None:
    (answer,) = put(store, [line("c1", "one", metadata=metadata)])
    assert (answer.status, store.files()) == (Status.REJECTED, [])
    assert reason in answer.reason


def test_an_id_is_of_one_chunk_in_the_whole_entity(store: VectorStore) -> None:
    def add(doc_id: str, *texts: tuple[str, str]) -> list[Answer]:
        chunks = [ClientChunk(number, doc_id, chunk_id, text) for number, (chunk_id, text) in enumerate(texts, 1)]
        return add_entity_chunks(doc_id, chunks, scope=SCOPE, store=store, embedder=CountingEmbedder(), now="now")

    first = add("one", ("c1", "x"), ("c2", "y"), ("c1", "x"), ("c2", "z"))
    assert [answer.status.value for answer in first] == ["inserted", "inserted", "identical", "conflict"]
    second = add("two", ("c1", "x"), ("c3", "new"))
    assert [answer.status.value for answer in second] == ["conflict", "inserted"]
    assert "ada/engines//one" in second[0].reason
    assert [record.chunks for record in store.files(SCOPE)] == [2, 1]
    put(store, [line("c3", "another", doc_id="one")])  # documents of `put-chunks` have ids of their own
    assert [answer.status.value for answer in add("two", ("c3", "new"))] == ["identical"]


def test_a_chunk_that_cannot_be_kept_keeps_the_whole_batch_out(store: VectorStore) -> None:
    chunks = [ClientChunk(number, "../x", f"c{number}", "text") for number in (1, 2)]
    answers = add_entity_chunks("../x", chunks, scope=SCOPE, store=store, embedder=CountingEmbedder(), now="now")
    assert [answer.status for answer in answers] == [Status.REJECTED, Status.REJECTED]
    assert store.files() == []

"""Rows of an earlier system become documents: whole, once, with their vectors where these are still right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ingest_assets.adoption.adopt import Step
from ingest_assets.adoption.found import FoundFile
from ingest_assets.ledger_records import Origin, Scope, State
from ingest_assets.stages.client_chunks import ClientChunk
from ingest_assets.stages.prechunk import add_chunks
from ingest_assets.stages.upkeep.validate import validate
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.adoption.builders import LONG, CountingEmbedder, adopted, row, rows
from ingest_assets_tests.stores.builders import vector_of

SCOPE = Scope("ann", "p")
TEXTS = [f"the tide turns at hour {number}" for number in range(5)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChromaStore]:
    opened = ChromaStore(str(tmp_path / "store"))
    opened.prepare()
    yield opened
    opened.close()


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder) -> None:
    (plan,) = adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder, apply=False)
    assert (plan.key, plan.step, plan.chunks, plan.kept, plan.to_embed) == ("ann/p//tides.pdf", Step.ADOPT, 5, 5, 0)
    assert store.files() == []


def test_vectors_of_the_same_model_are_kept(tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder) -> None:
    adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder)
    assert sorted(embedder.asked) == TEXTS[:3]  # the canaries
    (record,) = store.files(SCOPE)
    assert (record.origin, record.state, record.chunks, record.reused) == (Origin.CLIENT, State.SUCCEEDED, 5, 5)
    assert [chunk.text for chunk in store.chunks(record.file_id)] == TEXTS
    (hit,) = store.search(vector_of(TEXTS[4]), k=1, scope=SCOPE)
    assert (hit.chunk.text, hit.filename) == (TEXTS[4], "tides.pdf")
    assert [each.findings for each in validate(store, kept=lambda record: None, model=embedder.model)] == [()]


def test_vectors_of_another_model_are_made_again(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    other = [row(text, vector=vector_of(f"other {text}"), index=index) for index, text in enumerate(TEXTS)]
    (done,) = adopted(tmp_path, *other, store=store, embedder=embedder)
    assert (done.kept, done.to_embed) == (0, 5)
    (hit,) = store.search(vector_of(TEXTS[2]), k=1, scope=SCOPE)
    assert (hit.chunk.text, round(hit.score, 3)) == (TEXTS[2], 1.0)


@pytest.mark.parametrize("vector", [None, np.ones(7, dtype=np.float32) / np.float32(7**0.5)], ids=["none", "length 7"])
def test_rows_without_a_vector_of_our_length_are_embedded(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder, vector: np.ndarray | None
) -> None:
    (done,) = adopted(tmp_path, row("one", vector=vector), store=store, embedder=embedder)
    assert (done.kept, done.to_embed, embedder.asked) == (0, 1, ["one"])


def test_a_text_that_the_earlier_system_cut_off_is_embedded_again(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    found = [*rows("tides.pdf", TEXTS), row(LONG, index=9, vector=vector_of("its beginning"))]
    (done,) = adopted(tmp_path, *found, store=store, embedder=embedder)
    assert (done.kept, done.to_embed) == (5, 1)
    assert store.search(vector_of(LONG), k=1, scope=SCOPE)[0].score == pytest.approx(1, abs=1e-3)


def test_a_second_run_changes_nothing(tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder) -> None:
    adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder)
    before, asked = store.files(), len(embedder.asked)
    (done,) = adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder)
    assert (done.step, store.files(), len(embedder.asked)) == (Step.UNCHANGED, before, asked)


def test_a_document_that_changed_there_is_replaced(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder)
    (done,) = adopted(tmp_path, *rows("tides.pdf", TEXTS[:2]), store=store, embedder=embedder)
    assert done.step is Step.REPLACE
    assert [chunk.text for chunk in store.chunks(store.files()[0].file_id)] == TEXTS[:2]


def test_chunks_that_clients_added_since_are_never_removed(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder)
    added = ClientChunk(line=1, doc_id="tides.pdf", chunk_id="new", text="added later")
    list(add_chunks([added], scope=SCOPE, opened=lambda: (store, embedder), now=lambda: "now"))
    (same,) = adopted(tmp_path, *rows("tides.pdf", TEXTS), store=store, embedder=embedder)
    (other,) = adopted(tmp_path, *rows("tides.pdf", TEXTS[:2]), store=store, embedder=embedder)
    assert (same.step, other.step) == (Step.UNCHANGED, Step.REFUSE)
    assert "clients added" in other.reason
    assert store.files()[0].chunks == 6


def test_what_cannot_be_kept_is_named_and_the_rest_is_adopted(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    found = [
        row("good"),
        row("   "),
        row("nul \0 here"),
        row("deep", metadata={"n": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}),
    ]
    (done,) = adopted(tmp_path, *found, store=store, embedder=embedder)
    assert (done.step, done.chunks, done.refused_rows, done.is_whole) == (Step.ADOPT, 1, 3, False)
    assert "text is empty" in done.reason
    (record,) = store.files()
    assert (record.state, len(record.warnings)) == (State.PARTIAL, 1)


def test_rows_without_an_owner_and_files_without_rows_are_refused(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    found = adopted(
        tmp_path,
        row("whose", user=""),
        FoundFile("ann", "p", "lost.pdf"),
        row("where", user="a/b"),
        store=store,
        embedder=embedder,
    )
    done = {each.key: each for each in found}
    assert {each.step for each in done.values()} == {Step.REFUSE}
    assert "--user" in done["/p//tides.pdf"].reason
    assert "upload it again" in done["ann/p//lost.pdf"].reason
    assert "slash" in done["a/b/p//tides.pdf"].reason
    assert store.files() == []


def test_rows_come_in_their_order_and_equal_ids_stay_apart(
    tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder
) -> None:
    found = [row("third", index=2, chunk_id="x"), row("first", index=0, chunk_id="x"), row("second", index=1)]
    adopted(
        tmp_path, *found, FoundFile("ann", "p", "tides.pdf", summary="About tides."), store=store, embedder=embedder
    )
    (record,) = store.files()
    chunks = store.chunks(record.file_id)
    assert [chunk.text for chunk in chunks] == ["first", "second", "third"]
    assert [chunk.chunk_id for chunk in chunks] == ["x", "row 1", "x (2)"]
    assert record.summary == "About tides."
    assert record.sha256 != hashlib.sha256(b"").hexdigest()


def test_owners_stay_apart(tmp_path: Path, store: ChromaStore, embedder: CountingEmbedder) -> None:
    adopted(tmp_path, row("hers"), row("his", user="bob"), store=store, embedder=embedder)
    assert [hit.chunk.text for hit in store.search(vector_of("his"), k=5, scope=SCOPE)] == ["hers"]

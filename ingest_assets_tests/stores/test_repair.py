"""Test on every store that disagreements are found and repaired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import State
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stages.prechunk import Status
from ingest_assets.stages.upkeep.repair import Action
from ingest_assets.stages.upkeep.repair import repair as repair_stage
from ingest_assets.stages.upkeep.validate import Examined, Problem, examine, validate
from ingest_assets.stores.contract import Overtaken, VectorStore
from ingest_assets_tests.stores.builders import (
    Vector,
    chunks_of,
    publish,
    record_of,
    texts_in,
    texts_of,
)
from ingest_assets_tests.stores.fakes import CountingEmbedder
from ingest_assets_tests.stores.upkeep import NOTES, TEXTS, kept, line, nothing_kept, problems, put, repair
from testing.damage import lose_rows


def test_a_sound_store_has_nothing_to_find(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    publish(store, record_of("other.txt"), texts_of("other", 3))
    store.note(replace(record_of("bad.pdf"), state=State.FAILED, error="encrypted"))
    found = list(validate(store, kept=kept, page=2))
    assert [(each.file_id, each.rows, each.findings) for each in found] == [
        (NOTES.file_id, 12, ()),
        ("bad.pdf", 0, ()),
        ("other.txt", 3, ()),
    ]


def test_missing_rows_are_named_and_embedded_again_alone(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    names = [row.name for row in store.rows(NOTES.file_id) if row.chunk.index in {3, 7}]
    lose_rows(store, NOTES.file_id, names)
    examined = examine(store, NOTES.file_id, kept=kept)
    missing = [finding.detail for finding in examined.findings if finding.problem is Problem.MISSING]
    assert missing == ["chunk 3", "chunk 7"]
    embedder = CountingEmbedder()
    done = repair(examined, store=store, kept=kept, embedder=embedder)
    assert (done.action, done.embedded, sorted(embedder.texts)) == (Action.REBUILD, 2, sorted([TEXTS[3], TEXTS[7]]))
    assert texts_in(store, NOTES.file_id) == TEXTS
    assert examine(store, NOTES.file_id, kept=kept).findings == ()


def test_a_record_whose_rows_are_gone_is_mended_or_read_again(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    lose_rows(store, NOTES.file_id)
    examined = examine(store, NOTES.file_id, kept=nothing_kept)
    assert problems(examined) == {Problem.NO_CHUNKS}
    done = repair(examined, store=store, kept=nothing_kept, embedder=CountingEmbedder())
    record = store.file(NOTES.file_id)
    assert record is not None
    assert (done.action, done.is_whole, record.state, record.version) == (Action.READ_AGAIN, False, State.FAILED, "")
    publish(store, NOTES, TEXTS)
    lose_rows(store, NOTES.file_id)
    done = repair(examine(store, NOTES.file_id, kept=kept), store=store, kept=kept)
    assert (done.action, done.embedded) == (Action.REBUILD, 12)
    assert texts_in(store, NOTES.file_id) == TEXTS


def test_rows_that_are_no_chunks_of_the_document_are_found_and_go(store: VectorStore) -> None:
    publish(store, NOTES, [*TEXTS, "something that nobody wrote"])
    examined = examine(store, NOTES.file_id, kept=kept)
    assert problems(examined) == {Problem.UNEXPECTED}
    repair(examined, store=store, kept=kept)
    assert texts_in(store, NOTES.file_id) == TEXTS


def test_a_wrong_owner_in_the_record_is_found_and_mended_without_embedding(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    renamed = replace(NOTES, filename="renamed.txt")
    store.note(renamed)
    examined = examine(store, NOTES.file_id, kept=kept)
    assert problems(examined) == {Problem.WRONG_OWNER}
    embedder = CountingEmbedder()
    repair(examined, store=store, kept=kept, embedder=embedder)
    assert embedder.texts == []
    assert {row.filename for row in store.rows(NOTES.file_id)} == {"renamed.txt"}
    assert examine(store, NOTES.file_id, kept=kept).findings == ()


def test_a_repair_of_what_was_published_meanwhile_changes_nothing(store: VectorStore) -> None:
    publish(store, NOTES, [*TEXTS, "something that nobody wrote"])
    examined = examine(store, NOTES.file_id, kept=kept)
    publish(store, NOTES, ["a new version"])
    with pytest.raises(Overtaken, match="read it again"):
        repair(examined, store=store, kept=kept)
    assert texts_in(store, NOTES.file_id) == ["a new version"]
    orphans = replace(examined, record=None)
    with pytest.raises(Overtaken):
        repair(orphans, store=store, kept=kept)
    assert texts_in(store, NOTES.file_id) == ["a new version"]


def test_a_repair_whose_embedder_is_away_loses_nothing(store: VectorStore) -> None:
    class Away(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Vector:
            raise OutsideError("the model is away")

    put(store, [line("c1", "one"), line("c2", "two")])
    (record,) = store.files()
    store.note(replace(record, filename="renamed"))
    examined = examine(store, record.file_id, kept=nothing_kept)
    with pytest.raises(OutsideError):
        repair_stage(examined, store=store, kept=nothing_kept, forget=lambda record: None, embedder=Away("another", 32))
    assert sorted(texts_in(store, record.file_id)) == ["one", "two"]


def test_rows_named_for_it_are_written_anew(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    before = {row.chunk.index: row for row in store.rows(NOTES.file_id)}
    record = store.file(NOTES.file_id)
    assert record is not None
    store.replace(record, chunks_of(NOTES, TEXTS), expecting=1, rewrite=[before[4].name])
    after = {row.chunk.index: row for row in store.rows(NOTES.file_id)}
    assert [index for index in after if after[index].generation == 2] == [4]
    assert texts_in(store, NOTES.file_id) == TEXTS
    assert store.audit(NOTES.file_id).problems == ()


def test_vectors_of_a_model_that_is_not_in_use_are_found_and_made_anew(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    examined = examine(store, NOTES.file_id, kept=kept, model="another")
    assert problems(examined) == {Problem.WRONG_MODEL}
    done = repair(examined, store=store, kept=kept, embedder=CountingEmbedder("another"))
    assert (done.action, done.embedded) == (Action.REBUILD, 12)
    assert examine(store, NOTES.file_id, kept=kept, model="another").findings == ()


def test_lost_chunks_of_a_client_are_not_called_mended(store: VectorStore) -> None:
    put(store, [line("c1", "one"), line("c2", "two", index=1)])
    (record,) = store.files()
    lose_rows(store, record.file_id, [row.name for row in store.rows(record.file_id) if row.chunk.chunk_id == "c1"])
    done = repair(examine(store, record.file_id, kept=nothing_kept), store=store, kept=nothing_kept)
    assert (done.action, done.is_whole) == (Action.HAND_IN_AGAIN, False)
    (partial,) = store.files()
    assert (partial.state, partial.chunks, bool(partial.warnings)) == (State.PARTIAL, 1, True)
    assert [answer.status for answer in put(store, [line("c1", "one")])] == [Status.INSERTED]
    (whole,) = store.files()
    assert (whole.state, whole.chunks, whole.warnings) == (State.SUCCEEDED, 2, ())


def test_rows_of_files_that_are_being_published_are_no_finding(store: VectorStore) -> None:
    publish(store, NOTES, TEXTS)
    during: list[Examined] = []

    def chunks() -> Iterator[EmbeddedChunk]:
        yield from chunks_of(NOTES, texts_of("next", 700))
        during.extend(validate(store, kept=kept, busy={NOTES.file_id}))

    store.replace(NOTES, chunks())
    assert [each.findings for each in during] == [()]

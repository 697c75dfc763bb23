"""Validate, repair, optimize, pre-chunked ingestion and moving house, on every store."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_assets.errors import OutsideError
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.seen_texts import SeenTexts
from ingest_assets.stages.change_model import Built, build_beside
from ingest_assets.stages.client_chunks import client_chunks
from ingest_assets.stages.migrate import migrate
from ingest_assets.stages.optimize import Tidied, optimize
from ingest_assets.stages.prechunk import Answer, Status, add_chunks
from ingest_assets.stages.repair import Action, Repair
from ingest_assets.stages.repair import repair as repair_stage
from ingest_assets.stages.validate import Examined, Kept, Problem, examine, validate
from ingest_assets.stored import FileRecord, Origin, Scope, State
from ingest_assets.stores.chroma import ChromaStore
from ingest_assets.stores.contract import Overtaken, VectorStore
from ingest_assets_tests.stores.builders import Vector, chunks_of, record_of, scope_of, texts_of, vector_of
from ingest_assets_tests.stores.conftest import Opener
from ingest_assets_tests.stores.damage import lose_rows
from ingest_assets_tests.stores.fakes import CountingEmbedder

NOTES = record_of("ada:engines:notes.txt")
TEXTS = texts_of("notes", 12)
SCOPE = Scope("ada", "engines")


def repair(examined: Examined, *, store: VectorStore, kept: Kept, embedder: CountingEmbedder | None = None) -> Repair:
    embedder = embedder or CountingEmbedder()
    return repair_stage(examined, store=store, kept=kept, forget=lambda record: None, embedder=embedder)


def publish(store: VectorStore, record: FileRecord, texts: list[str]) -> FileRecord:
    return store.replace(record, chunks_of(record, texts))


def kept(record: FileRecord) -> list[Chunk] | None:
    """The chunks that NOTES was made from; of other files none are kept."""
    return [each.chunk for each in chunks_of(NOTES, TEXTS)] if record.file_id == NOTES.file_id else None


def nothing_kept(record: FileRecord) -> None:
    return None


def problems(examined: Examined) -> set[Problem]:
    return {finding.problem for finding in examined.findings}


def texts_in(store: VectorStore, file_id: str) -> list[str]:
    return [chunk.text for chunk in store.chunks(file_id, limit=1000)]


# validate


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
    with pytest.raises(Overtaken, match="look again"):
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
    during = []

    def chunks() -> Iterator[EmbeddedChunk]:
        yield from chunks_of(NOTES, texts_of("next", 700))
        during.extend(validate(store, kept=kept, busy={NOTES.file_id}))

    store.replace(NOTES, chunks())
    assert [each.findings for each in during] == [()]


# optimize


def tidy(store: VectorStore, folder: Path, file_ids: list[str], *, by_project: bool = False) -> list[Tidied]:
    with SeenTexts(folder / f"seen-{len(list(folder.iterdir()))}") as texts:

        def seen(record: FileRecord, text_sha256: str) -> bool:
            return texts.seen("project" if by_project else record.file_id, text_sha256)

        return [
            optimize(
                examine(store, file_id, kept=nothing_kept),
                store=store,
                seen=seen,
                kept=nothing_kept,
                captions=lambda record: {"A red lamp on a table"},
                embedder=CountingEmbedder(),
            )
            for file_id in file_ids
        ]


def test_later_chunks_of_equal_text_go_and_are_not_missed(store: VectorStore, tmp_path: Path) -> None:
    publish(store, NOTES, ["alpha", "beta", "alpha", "gamma", "alpha"])
    (done,) = tidy(store, tmp_path, [NOTES.file_id])
    record = store.file(NOTES.file_id)
    assert record is not None
    assert (done.duplicates, record.chunks, record.duplicates) == (2, 3, 2)
    assert texts_in(store, NOTES.file_id) == ["alpha", "beta", "gamma"]
    hits = store.search(vector_of("alpha"), k=10, scope=scope_of(NOTES))
    assert sorted(hit.chunk.text for hit in hits) == ["alpha", "beta", "gamma"]

    def all_five(record: FileRecord) -> list[Chunk]:
        return [each.chunk for each in chunks_of(NOTES, ["alpha", "beta", "alpha", "gamma", "alpha"])]

    assert examine(store, NOTES.file_id, kept=all_five).findings == ()
    assert store.audit(NOTES.file_id).problems == ()
    (again,) = tidy(store, tmp_path, [NOTES.file_id])
    assert (again.duplicates, again.flagged, again.completed) == (0, 0, 0)


def test_what_a_client_handed_in_twice_stays(store: VectorStore, tmp_path: Path) -> None:
    put(store, [line("c1", "one"), line("c2", "one", index=1)])
    (record,) = store.files()
    (done,) = tidy(store, tmp_path, [record.file_id])
    assert done.duplicates == 0
    assert [answer.status for answer in put(store, [line("c2", "one", index=1)])] == [Status.IDENTICAL]


def test_duplicates_of_a_project_stay_in_the_first_file(store: VectorStore, tmp_path: Path) -> None:
    first, second = record_of("a.txt"), record_of("b.txt")
    publish(store, first, ["alpha", "beta"])
    publish(store, second, ["beta", "gamma"])
    done = tidy(store, tmp_path, ["a.txt", "b.txt"], by_project=True)
    assert [each.duplicates for each in done] == [0, 1]
    assert (texts_in(store, "a.txt"), texts_in(store, "b.txt")) == (["alpha", "beta"], ["gamma"])


def test_flags_say_what_an_answer_may_rest_on(store: VectorStore, tmp_path: Path) -> None:
    publish(store, NOTES, ["plain words", "see: A red lamp on a table"])
    (done,) = tidy(store, tmp_path, [NOTES.file_id])
    assert (done.flagged, done.completed) == (2, 1)  # the summary was empty
    flags = {row.chunk.text: row.flags for row in store.rows(NOTES.file_id)}
    found = {text: (each.rag_strict, each.source_only) for text, each in flags.items() if each is not None}
    assert found == {"plain words": (True, True), "see: A red lamp on a table": (True, False)}
    assert store.compact()


# chunks that somebody else cut


def put(store: VectorStore, lines: list[object], scope: Scope = SCOPE) -> list[Answer]:
    stream = io.BytesIO(b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines))
    opened = (store, CountingEmbedder())
    now = "2026-01-01T00:00:00+00:00"
    return list(add_chunks(client_chunks(stream), scope=scope, opened=lambda: opened, now=lambda: now))


def line(chunk_id: str, text: str, *, doc_id: str = "manual", **more: object) -> dict[str, object]:
    return {"doc_id": doc_id, "chunk_id": chunk_id, "text": text, **more}


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
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# moving house


@pytest.fixture
def other(tmp_path: Path) -> Iterator[ChromaStore]:
    store = ChromaStore(str(tmp_path / "other"))
    yield store
    store.close()


def test_everything_moves_to_another_store_and_back(open_store: Opener, other: ChromaStore, tmp_path: Path) -> None:
    store = open_store()
    publish(store, NOTES, TEXTS)
    publish(store, NOTES, [*TEXTS[:5], "edited", *TEXTS[6:]])
    tidy(store, tmp_path, [NOTES.file_id])
    put(store, [line("c1", "one"), line("c2", "two")])
    store.note(replace(record_of("bad.pdf"), state=State.FAILED, error="encrypted"))
    assert [moved.copied for moved in migrate(store, other)] == [True, True, True]
    assert [moved.copied for moved in migrate(store, other)] == [False, False, False]
    for record in store.files():
        there = other.file(record.file_id)
        assert there is not None
        assert replace(there, generation=0) == replace(record, generation=0)
        assert other.chunks(record.file_id) == store.chunks(record.file_id)
        theirs = {row.chunk.chunk_id: row for row in other.rows(record.file_id)}
        for row in store.rows(record.file_id):
            copy = theirs[row.chunk.chunk_id]
            assert row.vector is not None
            assert copy.vector is not None
            assert float(row.vector @ copy.vector) == pytest.approx(1.0, abs=1e-5)
            assert copy.flags == row.flags
    assert all(not each.findings for each in validate(other, kept=nothing_kept))
    for record in store.files():
        store.delete(record.file_id)
    assert all(moved.copied for moved in migrate(other, store))
    assert all(not each.findings for each in validate(store, kept=nothing_kept))
    assert len(store.files()) == 3


# another model


def test_another_models_vectors_are_built_beside_and_switched_to_in_one_step(open_store: Opener) -> None:
    old, embedder = open_store(""), CountingEmbedder("next-model", 48)
    publish(old, NOTES, TEXTS)
    publish(old, record_of("other.txt"), texts_of("other", 3))
    old.note(replace(record_of("bad.pdf"), state=State.FAILED, error="encrypted"))
    new = open_store("mnext", dimension=48)

    def build() -> list[Built]:
        passes = build_beside(old, new, kept=kept, embedder=embedder, fingerprint_of=lambda record: "new")
        return list(passes)

    assert [built.changed for built in build()] == [True, True, True]
    assert len(embedder.texts) == 15
    assert found(old, vector_of(TEXTS[0])) == TEXTS[0]
    publish(old, record_of("late.txt"), ["late"])
    old.delete("other.txt")
    assert sum(built.changed for built in build()) == 2
    assert (old.current_space(), new.current_space()) == ("", "")
    old.switch("mnext")
    publish(new, record_of("newest.txt"), [])
    passed = build_beside(old, new, kept=kept, embedder=embedder, fingerprint_of=lambda record: "new", in_use=True)
    assert not any(built.changed for built in passed)
    assert new.delete("newest.txt") == 0
    assert (old.current_space(), new.current_space()) == ("mnext", "mnext")
    assert found(new, vector_of("late", 48)) == "late"
    assert [record.file_id for record in new.files()] == [NOTES.file_id, "bad.pdf", "late.txt"]
    assert all(not each.findings for each in validate(new, kept=kept))
    with pytest.raises(ValueError, match="in use"):
        new.drop()
    old.drop()
    assert texts_in(open_store("mnext", dimension=48), NOTES.file_id) == TEXTS


def found(store: VectorStore, vector: Vector) -> str:
    (hit,) = store.search(vector, k=1, scope=SCOPE)
    return hit.chunk.text

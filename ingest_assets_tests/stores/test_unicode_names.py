"""Test that `repair` moves files with decomposed names (NFD, as a Mac writes them) to their composed names."""

from __future__ import annotations

from dataclasses import replace
from unicodedata import normalize

from ingest_assets.ledger_records import Flags, State
from ingest_assets.stages.upkeep.repair import Action
from ingest_assets.stages.upkeep.validate import Examined, Problem, examine, validate
from ingest_assets.stores.contract import VectorStore
from ingest_assets_tests.stores.builders import publish, record_of, scope_of, texts_in, texts_of, vector_of
from ingest_assets_tests.stores.fakes import CountingEmbedder
from ingest_assets_tests.stores.upkeep import nothing_kept, repair

COMPOSED = replace(record_of("josé:cafés:menü.txt"), user_id="josé", project_id="cafés", key="josé/cafés/menü.txt")
DECOMPOSED = replace(
    COMPOSED,
    file_id=normalize("NFD", COMPOSED.file_id),
    user_id=normalize("NFD", COMPOSED.user_id),
    project_id=normalize("NFD", COMPOSED.project_id),
    filename=normalize("NFD", COMPOSED.filename),
    key=normalize("NFD", COMPOSED.key),
)
TEXTS = texts_of("menu", 5)


def _repaired(store: VectorStore) -> tuple[Action, CountingEmbedder]:
    embedder = CountingEmbedder()
    examined: Examined = examine(store, DECOMPOSED.file_id, kept=nothing_kept)
    assert Problem.DECOMPOSED_NAME in {finding.problem for finding in examined.findings}
    return repair(examined, store=store, kept=nothing_kept, embedder=embedder).action, embedder


def _file_ids(store: VectorStore) -> list[str]:
    assert all(not each.findings for each in validate(store, kept=nothing_kept))
    return [record.file_id for record in store.files()]


def test_a_file_moves_to_its_composed_name_and_nothing_is_embedded_anew(store: VectorStore) -> None:
    publish(store, replace(DECOMPOSED, updated_at="2026-01-01T00:00:00+00:00", summary="a menu"), TEXTS)
    row = next(iter(store.rows(DECOMPOSED.file_id)))
    store.flag(DECOMPOSED.file_id, {row.name: Flags(rag_strict=True, source_only=False)})
    action, embedder = _repaired(store)
    assert action is Action.RENAME
    assert embedder.texts == []
    assert _file_ids(store) == [COMPOSED.file_id]
    assert texts_in(store, COMPOSED.file_id) == TEXTS
    assert len(store.search(vector_of("q"), k=9, scope=scope_of(COMPOSED))) == 5
    kept = store.file(COMPOSED.file_id)
    assert kept is not None
    assert (kept.filename, kept.key, kept.summary, kept.chunks) == (COMPOSED.filename, COMPOSED.key, "a menu", 5)
    assert next(each.flags for each in store.rows(COMPOSED.file_id)) == Flags(rag_strict=True, source_only=False)


def test_where_both_names_are_there_the_newer_file_stays(store: VectorStore) -> None:
    for old, new, stays in (("2026-01-01", "2026-02-02", "composed"), ("2026-03-03", "2026-02-02", "decomposed")):
        publish(store, replace(DECOMPOSED, updated_at=old), texts_of("decomposed", 3))
        publish(store, replace(COMPOSED, updated_at=new), texts_of("composed", 4))
        _repaired(store)
        assert _file_ids(store) == [COMPOSED.file_id]
        assert texts_in(store, COMPOSED.file_id)[0].startswith(stays)


def test_chunks_are_kept_where_the_newer_file_failed_before_it_had_any(store: VectorStore) -> None:
    publish(store, replace(DECOMPOSED, updated_at="2026-01-01"), TEXTS)
    store.note(replace(COMPOSED, state=State.FAILED, updated_at="2026-02-02", error="it is encrypted"))
    _repaired(store)
    assert _file_ids(store) == [COMPOSED.file_id]
    assert texts_in(store, COMPOSED.file_id) == TEXTS


def test_a_file_that_never_was_published_moves_too(store: VectorStore) -> None:
    store.note(DECOMPOSED)
    _repaired(store)
    assert _file_ids(store) == [COMPOSED.file_id]


def test_a_copy_that_was_killed_halfway_is_made_again(store: VectorStore) -> None:
    publish(store, replace(DECOMPOSED, updated_at="2026-01-01"), TEXTS)
    publish(store, replace(COMPOSED, updated_at="2026-01-01", version="being copied"), TEXTS[:2])
    _repaired(store)
    assert texts_in(store, COMPOSED.file_id) == TEXTS

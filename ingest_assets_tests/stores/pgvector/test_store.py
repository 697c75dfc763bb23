"""Test what only PostgreSQL does: which rows are written, what the tables hold, writers that meet."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.ledger_records import Flags, Scope, State
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.pgvector import upkeep as pgvector_upkeep
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    MODEL,
    chunks_of,
    record_of,
    scope_of,
    texts_of,
    vector_of,
    with_vector,
)
from ingest_assets_tests.stores.notes import NOTES, TEXTS
from testing.postgres import rows_of

pytestmark = pytest.mark.slow


def test_importing_the_store_imports_neither_psycopg_nor_numpy() -> None:
    code = (
        "import sys, ingest_assets.stores.pgvector.store;"
        "sys.exit(bool({'psycopg', 'numpy', 'pgvector'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def versions(url: str) -> dict[str, tuple[str, str, str]]:
    """Return who wrote each row, in which page it lies, and where its text and vector are."""
    statement = "SELECT text, xmin::text, split_part(trim('()' from ctid::text), ',', 1), created::text FROM chunks"
    return {text: rest for text, *rest in rows_of(url, statement)}


def test_rows_of_unchanged_chunks_are_not_written_again(url: str, store: PgVectorStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = versions(url)
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    assert versions(url) == before
    store.replace(NOTES, chunks_of(NOTES, [*TEXTS[:11], "another end"]))
    after = versions(url)
    assert {text for text in after if after[text] == before.get(text)} == set(TEXTS[:11])


def test_a_chunk_that_only_moved_stays_in_its_page_and_loses_its_flags(url: str, store: PgVectorStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    before = versions(url)
    names = [row.name for row in store.rows(NOTES.file_id)]
    store.flag(NOTES.file_id, dict.fromkeys(names, Flags(rag_strict=True, source_only=True)))
    store.replace(NOTES, chunks_of(NOTES, ["a new beginning", *TEXTS]))
    after = versions(url)
    assert [after[text][1:] for text in TEXTS] == [before[text][1:] for text in TEXTS]
    assert all(after[text][0] != before[text][0] for text in TEXTS)
    assert {row.flags for row in store.rows(NOTES.file_id)} == {None}


def test_moved_rows_need_no_entry_in_any_index(url: str, store: PgVectorStore) -> None:
    texts = texts_of("long", 1000)
    store.replace(NOTES, chunks_of(NOTES, texts))
    store.replace(NOTES, chunks_of(NOTES, ["a new beginning", *texts]))
    store.close()  # a session hands in its statistics at its end
    (counts,) = rows_of(url, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'chunks'")
    assert counts == (1000, 1000)


def test_a_chunk_whose_text_changed_under_its_id_gets_its_new_vector(store: PgVectorStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    (old, new) = (next(chunks_of(NOTES, [text])) for text in (TEXTS[0], "quite another text"))
    changed = replace(new, chunk=replace(new.chunk, chunk_id=old.chunk.chunk_id))
    store.replace(NOTES, [changed])
    (row,) = store.rows(NOTES.file_id)
    assert row.chunk == changed.chunk
    assert row.vector is not None
    assert new.vector is not None
    np.testing.assert_allclose(row.vector, new.vector, atol=1e-6)


def test_a_file_of_another_model_is_written_anew(store: PgVectorStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    kept = store.replace(NOTES, chunks_of(NOTES, TEXTS, model="another"))
    assert (kept.model, {row.model for row in store.rows(NOTES.file_id)}) == ("another", {"another"})


def test_a_spoilt_vector_is_counted_not_handed_out_and_healed(url: str, store: PgVectorStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    rows_of(url, "UPDATE chunks SET embedding = embedding + embedding WHERE index = 4")
    rows_of(url, "UPDATE chunks SET embedding = NULL WHERE index = 5")
    audit = store.audit(NOTES.file_id)
    assert (audit.rows, audit.not_unit, audit.problems) == (12, 1, ("1 rows have no vector",))
    hashes = [each.chunk.text_sha256 for each in chunks_of(NOTES, TEXTS)]
    known = store.vectors_for(MODEL, hashes)
    assert set(known) == set(hashes) - {hashes[4], hashes[5]}
    kept = store.replace(NOTES, [replace(e, reused=e.chunk.text_sha256 in known) for e in chunks_of(NOTES, TEXTS)])
    audit = store.audit(NOTES.file_id)
    assert (kept.embedded, audit.not_unit, audit.problems) == (2, 0, ())


def test_people_can_filter_files_and_chunks_by_column(url: str, store: PgVectorStore) -> None:
    store.replace(replace(NOTES, size_bytes=2048, pages=4, seconds=1.5, summary="Notes"), chunks_of(NOTES, TEXTS))
    columns = "state, size_bytes, pages, chunks, seconds, summary, record->>'key'"
    assert rows_of(url, f"SELECT {columns} FROM files WHERE user_id = 'ada' AND filename = 'notes.txt'") == [
        ("succeeded", 2048, 4, 12, 1.5, "Notes", "ada/engines/notes.txt")
    ]
    columns = 'index, pages, section, source, model, dimension, "end" - "start"'
    assert rows_of(url, f"SELECT {columns} FROM chunks WHERE 2 = ANY(pages) ORDER BY index LIMIT 1") == [
        (3, [2], ["Part", "Section 0"], NOTES.key, MODEL, DIMENSION, len(TEXTS[3]))
    ]


def test_a_record_is_given_back_whole_with_every_character(store: PgVectorStore) -> None:
    record = replace(
        NOTES,
        state=State.FAILED,
        error="byte \x00 at 17 \x07",
        summary="\x00🙂",
        warnings=("a", 'b"\\'),
        quarantined=(3, 9),
        updated_at="2026-01-01T00:00:00+00:00",
        window=4,
    )
    kept = store.note(record)
    assert kept == record
    assert (store.file(NOTES.file_id), store.files(scope_of(NOTES))) == (record, [record])


def with_text(text: str) -> list[EmbeddedChunk]:
    (only,) = chunks_of(NOTES, ["placeholder"])
    return [replace(only, chunk=replace(only.chunk, text=text))]


@pytest.mark.parametrize(("text", "match"), [("a \x00 b", "text of chunk 0.*NUL"), ("half \ud83d", "surrogate")])
def test_text_that_cannot_be_written_is_refused_by_name(store: PgVectorStore, text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        store.replace(NOTES, with_text(text))
    with pytest.raises(ValueError, match="filename"):
        store.note(replace(NOTES, filename=text))
    with pytest.raises(ValueError, match=r"NUL|surrogate"):
        store.search(vector_of("x"), k=1, scope=Scope(text, "engines"))
    assert store.files() == []


def test_a_name_too_long_for_an_index_is_the_files_fault(store: PgVectorStore) -> None:
    long = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(200))
    with pytest.raises(BadInput, match="name is too long"):
        store.replace(record_of(long), chunks_of(record_of(long), TEXTS))


NASTY = "x'; DROP TABLE chunks; --"


@pytest.mark.parametrize("name", [NASTY, '"; DROP TABLE files; --', "%s %(user)s {chunks}", "a\nb", "$1"])
def test_names_that_look_like_statements_are_names(store: PgVectorStore, name: str) -> None:
    record = replace(record_of(name, user_id=name, project_id=name), media_type=name, key=name)
    store.replace(record, chunks_of(record, [name, "other"]))
    assert [each.file_id for each in store.files(Scope(name, name))] == [name]
    hits = store.search(vector_of(name), k=1, scope=Scope(name, name))
    assert (hits[0].chunk.text, store.owners(), store.delete(name)) == (name, [name], 2)


@pytest.mark.parametrize("name", ["a b", 'a"', "Ä", "a" * 41, NASTY])
def test_spaces_and_schemas_have_plain_names(url: str, name: str) -> None:
    with pytest.raises(ConfigError, match="space is named"):
        PgVectorStore(url, dimension=DIMENSION, space=name)
    with pytest.raises(ConfigError, match="schema is named"):
        PgVectorStore(url, dimension=DIMENSION, schema=name + "-" * 30)


def test_rows_that_no_record_stands_behind_are_not_in_force(url: str, store: PgVectorStore) -> None:
    store.replace(NOTES, chunks_of(NOTES, TEXTS))
    rows_of(url, "UPDATE chunks SET generation = 9 WHERE index = 0")
    audit = store.audit(NOTES.file_id)
    assert (audit.rows, audit.stray, len(store.chunks(NOTES.file_id))) == (11, 1, 11)
    rows_of(url, "DELETE FROM files")
    assert (store.owners(), store.audit(NOTES.file_id).stray) == ([NOTES.file_id], 12)
    assert not any(row.in_force for row in store.rows(NOTES.file_id))
    assert store.search(vector_of("x"), k=5, scope=scope_of(NOTES)) == []
    assert store.delete(NOTES.file_id) == 12


@pytest.mark.parametrize(("halfvec", "dimension"), [(False, 384), (True, 384)])
def test_an_index_is_rebuilt_where_it_is_much_larger_than_a_new_one(
    url: str, monkeypatch: pytest.MonkeyPatch, halfvec: bool, dimension: int
) -> None:
    monkeypatch.setattr(pgvector_upkeep, "_SMALL_BYTES", 0)
    store = PgVectorStore(url, dimension=dimension, halfvec=halfvec)
    store.prepare()

    def publish(count: int) -> None:
        chunks = chunks_of(NOTES, texts_of("notes", count))
        store.replace(NOTES, (with_vector(each, vector_of(each.chunk.text, dimension)) for each in chunks))

    publish(600)
    assert store.compact().startswith("left the vector index")
    publish(60)
    assert store.compact().startswith("rebuilt the vector index")
    assert store.compact().startswith("left the vector index")
    assert store.audit(NOTES.file_id).rows == 60
    store.close()


def test_two_writers_of_one_file_follow_one_another(url: str, store: PgVectorStore) -> None:
    stores = [store, PgVectorStore(url, dimension=DIMENSION)]

    def write(index: int) -> None:
        for turn in range(6):
            stores[index].replace(NOTES, chunks_of(NOTES, texts_of(f"{index}-{turn}", 30)))

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(2)))
    kept = store.file(NOTES.file_id)
    assert kept is not None and (kept.generation, kept.chunks) == (12, 30)
    texts = [chunk.text for chunk in store.chunks(NOTES.file_id)]
    assert texts in (texts_of("0-5", 30), texts_of("1-5", 30))
    stores[1].close()

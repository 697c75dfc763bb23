"""Test that a search which reads a scope's file sees what other processes changed, and waits for none of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ingest_assets.ledger_records import EVERYTHING, Filter, Hit, Scope
from ingest_assets.stores.chroma.small_scopes import content
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import (
    DIMENSION,
    chunks_of,
    record_of,
    scope_of,
    texts_of,
    vector_of,
    with_vector,
)
from ingest_assets_tests.stores.chroma.damage import spoil

NOTES, BOOK = record_of("notes.txt"), record_of("book.txt")
SCOPE = scope_of(NOTES)


@pytest.fixture
def reader(folder: Path) -> Iterator[ChromaStore]:
    """What searches, for as long as a service does."""
    store = ChromaStore(str(folder))
    yield store
    store.close()


@pytest.fixture
def writer(folder: Path) -> Iterator[ChromaStore]:
    """What another process has open: nothing but the folder is shared with it."""
    store = ChromaStore(str(folder))
    yield store
    store.close()


def found(store: ChromaStore, filters: Filter = EVERYTHING, *, k: int = 100, scope: Scope = SCOPE) -> list[str]:
    return [hit.chunk.text for hit in store.search(vector_of("x"), k=k, scope=scope, filters=filters)]


def kept_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (folder / "scopes").rglob("*") if path.is_file())


def test_a_search_sees_at_once_what_another_process_published_and_removed(
    reader: ChromaStore, writer: ChromaStore, folder: Path
) -> None:
    second = ChromaStore(str(folder))
    for texts in (["one", "two"], ["one", "three", "four"], ["four"]):
        writer.replace(NOTES, chunks_of(NOTES, texts))
        assert sorted(found(reader)) == sorted(found(second)) == sorted(texts)
    writer.replace(BOOK, chunks_of(BOOK, ["five"]))
    assert sorted(found(reader)) == sorted(found(second)) == ["five", "four"]
    writer.delete(NOTES.file_id)
    assert found(reader) == found(second) == ["five"]
    assert b"four" not in kept_bytes(folder), "nothing stays of a document that was removed"
    second.close()


def test_a_search_waits_for_no_writer_once_its_scope_was_searched(reader: ChromaStore, writer: ChromaStore) -> None:
    writer.replace(NOTES, chunks_of(NOTES, ["one", "two"]))
    before = (found(reader), reader.current_space())
    with ThreadPoolExecutor(1) as thread, writer._access.writing():
        texts, space = thread.submit(found, reader), thread.submit(reader.current_space)
        assert (texts.result(timeout=60), space.result(timeout=60)) == before


def test_a_writer_that_was_killed_before_its_write_leaves_the_old_state(
    reader: ChromaStore, writer: ChromaStore
) -> None:
    writer.replace(NOTES, chunks_of(NOTES, ["one"]))
    assert found(reader) == ["one"]
    with writer._access.writing():
        assert writer._access.scopes is not None
        writer._access.scopes.drop('["ada", "engines"]', deletes=False)
    assert found(reader) == ["one"]


@pytest.mark.parametrize("damage", ["copied", "cut short", "of an earlier start"])
def test_a_file_that_was_not_written_for_this_store_is_of_no_use(
    reader: ChromaStore, writer: ChromaStore, folder: Path, damage: str
) -> None:
    writer.replace(NOTES, chunks_of(NOTES, ["one"]))
    assert found(reader) == ["one"]
    (kept,) = (path for path in (folder / "scopes" / "first").iterdir())
    old = kept.read_bytes()
    writer.replace(NOTES, chunks_of(NOTES, ["two"]))
    if damage == "copied":
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        (copy / kept.relative_to(folder)).write_bytes(old)
        reader = ChromaStore(str(copy))
    else:
        assert reader._access.scopes is not None
        start = reader._access.scopes.written_for().split()[0].encode()
        kept.write_bytes(old[:40] if damage == "cut short" else old.replace(start, b"0" * len(start)))
    assert found(reader) == ["two"]
    reader.close()


def test_a_scope_of_many_rows_is_left_to_the_index(
    reader: ChromaStore, writer: ChromaStore, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    texts = texts_of("notes", 12)
    writer.replace(NOTES, chunks_of(NOTES, texts))
    expected = found(reader, k=5)
    monkeypatch.setattr(content, "MOST_ROWS", 11)
    writer.note(NOTES)  # so that the file is written again
    assert found(reader, k=5) == expected
    assert texts[0].encode() not in b"".join(
        path.read_bytes() for path in (folder / "scopes" / "first").iterdir() if not path.suffix
    )


def test_the_file_and_the_index_rank_and_filter_alike(
    reader: ChromaStore, writer: ChromaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = vector_of("the same for all")
    for record, texts in ((NOTES, texts_of("notes", 30)), (BOOK, texts_of("book", 40))):
        chunks = list(chunks_of(record, texts))
        writer.replace(record, [with_vector(each, same) if each.chunk.index % 10 == 0 else each for each in chunks])
    filters = (EVERYTHING, Filter(filenames=("book.txt",)), Filter(media_types=("text/html",)))
    questions = [same, *(vector_of(f"question {number}") for number in range(5))]

    def answers() -> list[Hit]:
        return [
            hit
            for question in questions
            for each in filters
            for k in (7, 100)
            for hit in reader.search(question, k=k, scope=SCOPE, filters=each)
        ]

    by_file = answers()
    monkeypatch.setattr(content, "MOST_ROWS", 1)
    writer.note(NOTES)
    by_index = answers()
    assert [hit.chunk for hit in by_file] == [hit.chunk for hit in by_index]
    assert [hit.score for hit in by_file] == pytest.approx([hit.score for hit in by_index], abs=1e-5)


def test_rows_that_cannot_be_compared_are_not_found(reader: ChromaStore, writer: ChromaStore) -> None:
    writer.replace(NOTES, chunks_of(NOTES, ["one", "two"]))
    spoilt = spoil(writer, NOTES.file_id, embeddings=np.zeros(DIMENSION, dtype=np.float32))
    assert found(reader) == sorted({"one", "two"} - {spoilt})


def test_another_process_that_changes_the_model_is_followed(
    reader: ChromaStore, writer: ChromaStore, folder: Path
) -> None:
    writer.replace(NOTES, chunks_of(NOTES, ["one"]))
    assert (reader.current_space(), found(reader)) == ("", ["one"])
    following = ChromaStore(str(folder), space="m1")
    following.replace(NOTES, chunks_of(NOTES, ["two"]))
    assert (reader.current_space(), found(reader), found(following)) == ("", ["one"], ["two"])
    following.switch("m1")
    assert reader.current_space() == "m1"
    writer.drop()
    assert not (folder / "scopes" / "first").exists()
    assert found(following) == ["two"]
    following.close()

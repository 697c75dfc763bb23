"""Test that rows which a process remembers of a Chroma server are used only while the ledger names the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ingest_assets.ledger_records import EVERYTHING, Filter
from ingest_assets.stores.chroma.client import ChromaCollections
from ingest_assets.stores.chroma.rows import scope_key
from ingest_assets.stores.chroma.small_scopes import content, remembered_scopes
from ingest_assets.stores.chroma.small_scopes.remembered_scopes import RememberedScopes
from ingest_assets.stores.chroma.small_scopes.rows_of import rows_of_small_scope
from ingest_assets.stores.chroma.small_scopes.scope_rows import ComparedRow, ScopeRows, encoded, not_compared
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, scope_of, texts_of, vector_of

NOTES, BOOK = record_of("notes.txt"), record_of("book.txt")
KEY = scope_key(scope_of(NOTES))


def rows_named(publication: str, size: int = 0) -> bytes:
    row = ComparedRow({"text": "x" * size}, vector_of("x"))
    return encoded([row], {"notes.txt": publication}, written_for="")


def publication_in(rows: ScopeRows | None) -> str | None:
    if rows is None:
        return None
    found = rows.publications["notes.txt"]
    rows.close()
    return found


def test_the_last_rows_of_a_scope_are_remembered_until_all_is_forgotten() -> None:
    remembered = RememberedScopes()
    assert remembered.found("a") is None
    for publication in ("first", "second"):
        remembered.keep("a", rows_named(publication))
    remembered.keep("b", rows_named("other"))
    assert [publication_in(remembered.found(scope)) for scope in ("a", "b", "a")] == ["second", "other", "second"]
    remembered.close()
    assert remembered.found("a") is None


def test_the_scopes_that_were_not_searched_for_longest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_scopes, "_MOST_BYTES", 25_000)
    remembered = RememberedScopes()
    for scope in ("a", "b"):
        remembered.keep(scope, rows_named(scope, 10_000))
    assert publication_in(remembered.found("a")) == "a"
    remembered.keep("c", rows_named("c", 10_000))
    assert [publication_in(remembered.found(scope)) for scope in ("a", "b", "c")] == ["a", None, "c"]
    remembered.close()


def test_a_scope_that_was_too_large_is_looked_at_again_after_some_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered_scopes, "_PASSED_OVER", 2)
    remembered = RememberedScopes()
    remembered.keep("a", not_compared(written_for=""))
    remembered.note_too_large("a")
    assert remembered.found("a") is None
    assert [remembered.was_too_large("a") for _ in range(4)] == [True, True, False, False]


@pytest.fixture
def reader(chroma_server: Callable[[], ChromaStore]) -> Iterator[ChromaStore]:
    store = chroma_server()
    yield store
    store.close()


@pytest.fixture
def writer(chroma_server: Callable[[], ChromaStore]) -> Iterator[ChromaStore]:
    """What another host has open: nothing but the server is shared with it."""
    store = chroma_server()
    yield store
    store.close()


def found(store: ChromaStore, filters: Filter = EVERYTHING) -> list[str]:
    hits = store.search(vector_of("x"), k=100, scope=scope_of(NOTES), filters=filters)
    return sorted(hit.chunk.text for hit in hits)


@pytest.mark.slow
def test_a_search_sees_at_once_what_another_host_published_and_removed(
    reader: ChromaStore, writer: ChromaStore
) -> None:
    for texts in (["one", "two"], ["one", "three", "four"], ["four"]):
        writer.replace(NOTES, chunks_of(NOTES, texts))
        assert found(reader) == found(reader) == sorted(texts)
    writer.replace(BOOK, chunks_of(BOOK, ["five"]))
    assert found(reader) == ["five", "four"]
    assert found(reader, Filter(filenames=("book.txt",))) == ["five"]
    writer.delete(NOTES.file_id)
    assert found(reader) == ["five"]
    assert found(reader, Filter(filenames=("notes.txt",))) == []


class Interrupted:
    """A host's turns at a server, in which something happens after it has read rows and before it asks the ledger."""

    steady, scopes = False, None

    def __init__(self, store: ChromaStore, happens: Callable[[int], object]) -> None:
        self._access, self._happens = store._access, happens
        self.location, self.remembered, self.read = store._access.location, RememberedScopes(), 0

    @contextmanager
    def reading(self) -> Iterator[ChromaCollections]:
        with self._access.reading() as handle:
            yield replace(handle, chunks=self)

    def get(self, **query: Any) -> Any:
        with self._access.reading() as handle:
            answer = handle.chunks.get(**query)
        self.read += 1
        self._happens(self.read)
        return answer

    def texts(self) -> list[str] | None:
        """Return the texts of the scope's rows; None where they are left to the index."""
        rows = rows_of_small_scope(self, KEY)  # type: ignore[arg-type]  # what is used of a ChromaAccess
        if rows is None:
            return None
        with closing(rows):
            return sorted(hit.chunk.text for hit in rows.nearest(vector_of("x"), k=100, filters=EVERYTHING))


@pytest.mark.slow
def test_rows_are_read_once_for_each_publication_and_never_mixed(reader: ChromaStore, writer: ChromaStore) -> None:
    def overtake(read: int) -> None:
        if read == 1:
            writer.replace(NOTES, chunks_of(NOTES, ["one", "three", "four"]))

    writer.replace(NOTES, chunks_of(NOTES, ["one", "two"]))
    overtaken = Interrupted(reader, overtake)
    assert (overtaken.texts(), overtaken.read) == (["four", "one", "three"], 2)
    assert (overtaken.texts(), overtaken.read) == (["four", "one", "three"], 2)
    writer.note(NOTES)
    assert (overtaken.texts(), overtaken.read) == (["four", "one", "three"], 2)
    overtaken.remembered.close()


@pytest.mark.slow
def test_a_scope_that_never_rests_is_left_to_the_index(reader: ChromaStore, writer: ChromaStore) -> None:
    writer.replace(NOTES, chunks_of(NOTES, ["0"]))
    restless = Interrupted(reader, lambda read: writer.replace(NOTES, chunks_of(NOTES, [str(read)])))
    assert (restless.texts(), restless.read) == (None, 3)
    assert found(reader) == ["3"]
    restless.remembered.close()


@pytest.mark.slow
def test_the_rows_and_the_index_rank_alike(
    reader: ChromaStore, writer: ChromaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.replace(NOTES, chunks_of(NOTES, texts_of("notes", 60)))
    questions = [vector_of(f"question {number}") for number in range(3)]
    by_rows = [reader.search(question, k=10, scope=scope_of(NOTES)) for question in questions]
    monkeypatch.setattr(content, "MOST_ROWS", 1)
    by_index = [writer.search(question, k=10, scope=scope_of(NOTES)) for question in questions]
    for rows, index in zip(by_rows, by_index, strict=True):
        assert [hit.chunk for hit in rows] == [hit.chunk for hit in index]
        assert [hit.score for hit in rows] == pytest.approx([hit.score for hit in index], abs=1e-5)

"""Test what a killed save leaves of the index of an embedded store, and what a start after it must do again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.chroma.publish import BATCH
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, scope_of, texts_of, vector_of

SAVED_EACH = 1_000
"""Rows after which Chroma saves its index."""
NOTES = record_of("notes.txt")


@pytest.mark.parametrize("torn", ["header.bin", "data_level0.bin", "index_metadata.pickle"])
def test_an_index_torn_by_a_killed_save_is_rebuilt(
    folder: Path, store: ChromaStore, torn: str, caplog: pytest.LogCaptureFixture
) -> None:
    texts = texts_of("many", 1200)  # Chroma saves its index every thousand rows
    store.replace(NOTES, chunks_of(NOTES, texts))
    before = store.search(vector_of("x"), k=20, scope=scope_of(NOTES))
    store.close()
    (saved,) = folder.glob("*/index_metadata.pickle")
    saved = saved.with_name(torn)
    os.truncate(saved, saved.stat().st_size // 2)
    mark = folder / "locks" / "store"
    mark.write_text(mark.read_text().replace("-", "w"))  # as a writer leaves it that is killed
    shutil.rmtree(folder / "scopes")  # so that the vectors are read from the index again
    assert store.search(vector_of("x"), k=20, scope=scope_of(NOTES)) == before
    assert store.audit(NOTES.file_id).problems == ()
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [str(folder)], "said once"


def test_few_rows_are_added_to_the_index_again_after_a_kill(folder: Path, store: ChromaStore) -> None:
    """However long a document is: a start after a kill must not take minutes."""
    to_add_again = []

    def long() -> Iterator[EmbeddedChunk]:
        for number, each in enumerate(chunks_of(NOTES, texts_of("long", 3 * BATCH + 1))):
            if number % BATCH == 0:
                to_add_again.append(rows_beyond_the_saved_index(folder))
            yield each

    store.replace(NOTES, long())
    assert 0 < max(to_add_again) <= SAVED_EACH + BATCH, to_add_again


def rows_beyond_the_saved_index(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "chroma.sqlite3")) as connection:
        ((rows,),) = connection.execute(
            """
            SELECT count(*) FROM embeddings_queue
            JOIN collections ON name = 'chunks' AND topic LIKE '%' || collections.id
            JOIN segments ON segments.collection = collections.id AND segments.scope = 'VECTOR'
            LEFT JOIN max_seq_id ON max_seq_id.segment_id = segments.id
            WHERE embeddings_queue.seq_id > coalesce(max_seq_id.seq_id, 0)
            """
        )
    return int(rows)

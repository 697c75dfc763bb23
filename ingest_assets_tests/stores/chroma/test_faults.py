"""Test faults around Chroma: servers away and restarted, a database that is not there, a full disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.ledger_records import Scope
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.chroma.publish import BATCH
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.stores.builders import chunks_of, record_of, texts_of, vector_of
from ingest_assets_tests.stores.small_disk import make_room, small_disk
from testing.servers import free_port, running

NOTES = record_of("notes.txt")
TEXTS = texts_of("notes", 12)


def test_a_server_that_is_away_is_an_outside_error() -> None:
    store = ChromaStore(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1"):
        store.prepare()


@pytest.mark.slow
def test_a_database_that_is_not_there_is_a_config_error(chroma_url: str) -> None:
    store = ChromaStore(chroma_url, database="unheard_of")
    with pytest.raises(ConfigError, match=r"Database \[unheard_of\]"):
        store.search(vector_of("x"), k=1, scope=Scope("u", "p"))
    store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_is_told_and_leaves_the_file_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path, size_mb=14):
        store = ChromaStore(str(tmp_path / "chroma"))
        store.prepare()
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
        with pytest.raises(OutsideError, match=r"the disk of Chroma's folder .* is full .*: make room there"):
            store.replace(NOTES, chunks_of(NOTES, [f"text {number} {'x' * 2000}" for number in range(5_000)]))
        # Until there is room Chroma may refuse to be read, too: it wants to put its log into its tables first.
        make_room(tmp_path, size_mb=64)
        assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == TEXTS
        store.replace(NOTES, chunks_of(NOTES, [*TEXTS, "and another"]))
        assert [chunk.text for chunk in store.chunks(NOTES.file_id)] == [*TEXTS, "and another"]
        assert (store.audit(NOTES.file_id).stray, store.audit(NOTES.file_id).problems) == (0, ())
        store.close()


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, BATCH + 1])
def test_a_server_that_is_started_anew_while_a_document_is_written(tmp_path: Path, at: int) -> None:
    """At the first chunk the publication has been claimed; behind a batch, rows have been written."""
    port, new = free_port(), texts_of("new", 2 * BATCH)
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--path", str(tmp_path / "data")]
    url, server = f"http://127.0.0.1:{port}", ExitStack()

    def restart() -> None:
        server.close()
        server.enter_context(running(command, answers=f"{url}/api/v2/heartbeat", log=tmp_path / "log"))

    def interrupted() -> Iterator[EmbeddedChunk]:
        for number, chunk in enumerate(chunks_of(NOTES, new)):
            if number == at:
                restart()
            yield chunk

    with server:
        restart()
        store = ChromaStore(url)
        store.prepare()
        store.replace(NOTES, chunks_of(NOTES, TEXTS))
        with suppress(OutsideError):
            store.replace(NOTES, interrupted())
        assert [chunk.text for chunk in store.chunks(NOTES.file_id, limit=len(new))] in (TEXTS, new)
        store.replace(NOTES, chunks_of(NOTES, new))
        assert [chunk.text for chunk in store.chunks(NOTES.file_id, limit=len(new) + 1)] == new
        assert (store.audit(NOTES.file_id).stray, store.audit(NOTES.file_id).problems) == (0, ())
        store.close()

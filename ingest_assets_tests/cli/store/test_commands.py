"""Test the commands about the whole store, on a home with real runs, the real model and embedded Chroma."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.cli.command_line import OWNER, Home
from testing.damage import lose_rows
from testing.postgres import postgres, rows_of
from testing.small_model import small_model

pytestmark = pytest.mark.slow

TIDES = "ann:p:tides.md"
PAGE = "# Tides\n\nThe tide table hangs beside the boathouse door.\n"


def with_two_files(folder: Path, model_cache: Path) -> Home:
    home = Home(folder, model_cache)
    home("add", home.file("tides.md", PAGE), home.file("oil.txt", "Oil for the lamp is kept dry.\n"), *OWNER)
    return home


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Home:
    return with_two_files(tmp_path_factory.mktemp("filled"), model_cache)


@pytest.fixture
def ingest(filled: Home, tmp_path: Path) -> Home:
    """A home with two files, of which a test may break what it likes."""
    return filled.copy_to(tmp_path)


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    return small_model(tmp_path / "other-model")


def store_of(ingest: Home) -> ChromaStore:
    return ChromaStore(str(Path(ingest.environment["DAGSTER_HOME"]) / "chroma"))


def test_damage_is_found_named_and_repaired(ingest: Home) -> None:
    assert "2 files, 2 rows: all agrees" in ingest("validate")
    assert ingest("repair") == "nothing to repair\n"
    store = store_of(ingest)
    lose_rows(store, TIDES)
    store.close()
    report = ingest.json("validate", code=1)
    assert report["counts"] == {"a record without chunks": 1, "a chunk without a row": 1}
    assert {finding["file_id"] for finding in report["findings"]} == {TIDES}
    (planned,) = ingest.json("repair", code=1)["files"]
    assert (planned["action"], planned["embedded"]) == ("rebuild", 0)
    assert {hit["filename"] for hit in ingest.json("search", "tide table", *OWNER)} == {"oil.txt"}
    (repaired,) = ingest.json("repair", "--apply")["files"]
    assert (repaired["action"], repaired["embedded"]) == ("rebuild", 1)
    assert "all agrees" in ingest("validate")
    assert ingest.json("search", "tide table", *OWNER, "-k", "1")[0]["filename"] == "tides.md"


def test_a_file_whose_chunks_are_kept_nowhere_is_read_again(ingest: Home) -> None:
    store = store_of(ingest)
    lose_rows(store, TIDES)
    store.close()
    shutil.rmtree(Path(ingest.environment["DAGSTER_HOME"]) / "artifacts" / "chunks")
    assert "have the file read again" in ingest("repair", "--apply", code=1)
    assert "tides.md" in ingest("work", INGEST_SETTLE_S="0")
    assert "all agrees" in ingest("validate")


def test_the_store_is_optimized(ingest: Home) -> None:
    told = ingest.json("optimize")
    assert (told["files"], told["flagged"], told["need_repair"]) == (2, 2, [])
    assert "vacuum" in told["compacted"]
    store = store_of(ingest)
    flags = {row.chunk.text.split()[-1]: row.flags for row in store.rows(TIDES)}
    store.close()
    assert all(each is not None and each.rag_strict and each.source_only for each in flags.values())
    assert "all agrees" in ingest("validate")


def test_chunks_that_were_cut_elsewhere_are_answered_and_stay(tmp_path: Path, model_cache: Path) -> None:
    ingest = with_two_files(tmp_path, model_cache)  # in a copied bucket each file would be new to `ingest work`
    lines = [
        {"doc_id": "manual", "chunk_id": "c1", "text": "The fog horn sounds twice a minute."},
        {"doc_id": "manual", "chunk_id": "c1", "text": "The fog horn is broken."},
        {"doc_id": "manual"},
    ]
    path = ingest.file("chunks.ndjson", "\n".join(map(json.dumps, lines)))
    told = ingest("put-chunks", path, *OWNER, code=1)
    assert "1 inserted, 0 identical, 1 conflict, 1 rejected" in told
    answers = [
        json.loads(line) for line in ingest.run("put-chunks", path, *OWNER, "--json", code=1).stdout.splitlines()
    ]
    assert [answer["status"] for answer in answers] == ["identical", "conflict", "rejected"]
    assert ingest.json("search", "fog horn", *OWNER, "-k", "1")[0]["filename"] == "manual"
    assert "0 files processed, 0 removed" in ingest("work", INGEST_SETTLE_S="0")
    assert {record["filename"] for record in ingest.json("files")} == {"manual", "oil.txt", "tides.md"}
    ingest("add", ingest.file("manual", "A file of the same name.\n"), *OWNER)
    assert "fog horn" in ingest("chunks", "ann/p//manual")
    ingest("remove", "ann:p::manual")
    assert sorted(record["file_id"] for record in ingest.json("files")) == ["ann:p:manual", "ann:p:oil.txt", TIDES]
    assert "0 files processed, 0 removed" in ingest("work", INGEST_SETTLE_S="0")


def test_tables_of_an_earlier_release_are_named_and_left_as_they_are(tmp_path: Path, model_cache: Path) -> None:
    ingest = Home(tmp_path, model_cache)
    with postgres() as server:
        url = server.new_database()
        settings = {"INGEST_STORE": "pgvector", "INGEST_PGVECTOR": url}
        ingest("prepare", settings=settings)
        assert "all agrees" in ingest("validate", settings=settings)
        rows_of(url, "DELETE FROM ingest_migrations WHERE number = 3 RETURNING number")
        told = ingest("validate", code=2, settings=settings)
        assert re.search(r"step 3 of \d+ is not done; run `ingest prepare`", told)
        assert rows_of(url, "SELECT count(*) FROM ingest_migrations WHERE number = 3") == [(0,)]
        ingest("prepare", settings=settings)
        assert "all agrees" in ingest("validate", settings=settings)


def test_everything_moves_to_another_store(ingest: Home, tmp_path: Path) -> None:
    there = f"chroma:{tmp_path / 'there'}"
    told = ingest.json("migrate", "--from", "chroma", "--to", there)
    assert (told["copied"], told["there_already"], told["agree"]) == (2, 0, True)
    assert (told["target"]["files"], told["target"]["counts"]) == (2, {})
    assert ingest.json("migrate", "--from", "chroma", "--to", there)["there_already"] == 2
    assert "same store" in ingest("migrate", "--from", there, "--to", there, code=2)
    assert "no store shelf" in ingest("migrate", "--from", "shelf:x", "--to", there, code=2)
    found = ingest("search", "tide table", *OWNER, "-k", "1", "--json", INGEST_CHROMA=str(tmp_path / "there"))
    assert json.loads(found)[0]["filename"] == "tides.md"


def test_the_model_is_changed_while_the_old_one_answers(tmp_path: Path, model_cache: Path, other_model: Path) -> None:
    ingest = with_two_files(tmp_path, model_cache)  # no copy, whose files would have new versions
    assert "INGEST_NEXT_MODEL_DIR" in ingest("change-model", code=2)
    both = {"INGEST_NEXT_MODEL_DIR": str(other_model)}
    told = json.loads(ingest("change-model", "--json", settings=both))
    assert (told["files"], told["chunks"]) == (2, 2)
    assert told["model"].startswith("other-model")
    assert len(json.loads(ingest("search", "tide table", *OWNER, "--json", settings=both))) == 2
    assert "all agrees" in ingest("validate", settings=both)
    new = ingest.file("fog.txt", "The fog horn sounds twice a minute.\n")
    assert "succeeded" in ingest("add", new, *OWNER, settings=both)
    assert "unchanged" in ingest("add", ingest.file("tides.md", PAGE), *OWNER, settings=both)
    later = {"INGEST_MODEL_DIR": str(other_model)}
    assert len(json.loads(ingest("search", "fog", *OWNER, "--json", settings=later))) == 3
    assert "change-model" in ingest("search", "fog", *OWNER, code=2)

"""Test the command line as a person or a program calls it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import dagster as dg
import pytest

from ingest_assets_tests.cli.command_line import INGEST, OWNER, Home

pytestmark = pytest.mark.slow


@pytest.fixture
def ingest(tmp_path: Path, model_cache: Path) -> Home:
    return Home(tmp_path, model_cache)


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Home:
    """A home that holds one file, a.txt, for tests that only ask."""
    home = Home(tmp_path_factory.mktemp("filled"), model_cache)
    home("add", home.file("a.txt", "The lamp is lit at dusk."), *OWNER)
    return home


def test_a_file_is_added_found_shown_and_removed(ingest: Home) -> None:
    path = ingest.file("tides.md", "# Tides\n\nThe tide table hangs beside the boathouse door.\n")
    assert "succeeded" in ingest("add", path, *OWNER)
    (hit,) = ingest.json("search", "where is the tide table?", *OWNER)
    assert (hit["filename"], hit["section"]) == ("tides.md", ["Tides"])
    assert -1 <= hit["score"] <= 1
    assert "boathouse" in ingest("chunks", "ann/p/tides.md")
    record = ingest.json("status", "ann/p/tides.md")
    assert (record["chunks"], record["languages"], record["tables"]) == (1, ["en"], 0)
    said = ingest("status", "ann/p/tides.md")
    assert said.startswith("ann/p/tides.md: succeeded\n")
    assert all(f"{stage}: " in said for stage in ("raw_files", "parsed_documents", "chunks", "embeddings"))
    assert [record["file_id"] for record in ingest.json("files")] == ["ann:p:tides.md"]
    assert "1 succeeded; 0 waiting" in ingest("status")
    assert ingest("export", "ann/p/tides.md") == "# Tides\n\nThe tide table hangs beside the boathouse door.\n"
    ingest("export", "ann/p/tides.md", "--format", "json", "-o", path + ".json")
    elements = json.loads(Path(path + ".json").read_text())["elements"]
    assert [element["type"] for element in elements] == ["Title", "NarrativeText"]
    assert "removed, with 1 chunks" in ingest("remove", "ann/p/tides.md")
    assert ingest.json("files") == []
    assert "no files at all" in ingest("search", "where is the tide table?", *OWNER, code=1)


def test_an_unchanged_file_is_skipped_and_a_changed_one_is_not(ingest: Home) -> None:
    path = ingest.file("a.txt", "The lamp is lit at dusk.")
    ingest("add", path, *OWNER)
    (again,) = json.loads(ingest("add", path, *OWNER, "--json"))
    assert again["unchanged"] is True
    ingest.file("a.txt", "The lamp is lit at dawn.")
    (changed,) = json.loads(ingest("add", path, *OWNER, "--json"))
    assert (changed["unchanged"], changed["generation"]) == (False, 2)
    (said,) = json.loads(ingest("add", path, *OWNER, "--json", "--metadata", '{"year": 2026}'))
    assert (said["unchanged"], said["generation"], said["embedded"]) == (False, 3, 0)
    (again,) = json.loads(ingest("add", path, *OWNER, "--json", "--metadata", '{"year": 2026}'))
    assert (again["unchanged"], again["metadata"]) == (True, '{"year": 2026}')
    assert "metadata: it is not a JSON object" in ingest("add", path, *OWNER, "--metadata", "{", code=1)


def test_a_bad_file_is_named_and_the_others_go_on(ingest: Home) -> None:
    good, bad = ingest.file("in/good.txt", "The lamp is lit at dusk."), ingest.file("in/bad.pdf", b"%PDF-1.4\n%%EOF")
    said = ingest("add", bad, good, *OWNER, code=1)
    assert "ann/p/bad.pdf" in said
    assert "succeeded" in said
    assert "bad.pdf" in ingest("status", "--problems", code=1)
    assert "1 succeeded, 1 failed; 0 waiting" in ingest("status", code=1)
    first, second, *_ = ingest("status", "ann/p/bad.pdf", code=1).splitlines()
    assert (first, second.split()[:2]) == ("ann/p/bad.pdf: failed", ["error", "ann/p/bad.pdf:"])
    assert ingest("status", "ann/p/good.txt").startswith("ann/p/good.txt: succeeded")


def test_a_folder_is_added_with_its_paths(ingest: Home) -> None:
    ingest.file("in/one.txt", "one")
    ingest.file("in/deep/two.txt", "two")
    ingest.file("in/.hidden", "no")
    ingest("add", str(ingest.folder / "in"), *OWNER)
    assert [record["filename"] for record in ingest.json("files")] == ["deep/two.txt", "one.txt"]


def test_nobody_sees_another_users_chunks(lamp: Home) -> None:
    assert "no files of this user and project" in lamp("search", "lamp", "--user", "bob", "--project", "p", code=1)
    assert "did you mean -u ann -p p?" in lamp("search", "lamp", "--user", "ann", "--project", "q", code=1)
    assert "must not be empty" in lamp("search", "lamp", "--user", "", "--project", "p", code=2)


def test_wrong_settings_stop_the_start_and_are_all_named(ingest: Home) -> None:
    said = ingest("config", code=2, MAX_FILE_MB="x", INGEST_STORE="y")
    assert "MAX_FILE_MB" in said
    assert "INGEST_STORE" in said


def test_an_unknown_file_is_a_problem_not_a_crash(ingest: Home) -> None:
    ingest("prepare")
    assert "not in the ledger" in ingest("status", "ann/p/nothing.txt", code=1)
    assert "not in the ledger" in ingest("chunks", "what, this?", code=1)


def test_config_shows_every_setting_as_a_program_reads_it(ingest: Home) -> None:
    rows = {row["name"]: row for row in ingest.json("config")}
    assert rows["INGEST_MODEL_CACHE"]["came_from"] == "environment"
    assert rows["MAX_FILE_MB"]["value"] == "50"


def test_two_files_of_one_name_are_refused_before_either_is_lost(ingest: Home) -> None:
    one, two = ingest.file("one/report.txt", "one"), ingest.file("two/report.txt", "two")
    assert "would both be report.txt" in ingest("add", one, two, *OWNER, code=1)
    assert not (ingest.folder / "home").exists()


def test_a_user_cannot_be_made_to_name_another_project(ingest: Home) -> None:
    path = ingest.file("a.txt", "hello")
    assert "slash" in ingest("add", path, "--user", "ann/secret", "--project", "p", code=2)


def test_one_path_that_cannot_be_taken_is_one_row_and_the_others_go_on(ingest: Home) -> None:
    hidden, good = ingest.file("notes.tmp", "hello"), ingest.file("good.txt", "The lamp is lit at dusk.")
    rows = ingest.json("add", hidden, good, *OWNER, code=1)
    assert [row["state"] for row in rows] == ["failed", "succeeded"]
    assert "rename it" in rows[0]["error"]


def test_names_reach_the_terminal_as_text(ingest: Home) -> None:
    path = ingest.file("[red]:cat:\x1b[31m.txt", "The lamp is lit at dusk.")
    said = ingest("add", path, *OWNER)
    assert "[red]:cat:\\x1b[31m.txt" in said


def test_a_killed_add_is_taken_up_by_the_next(ingest: Home) -> None:
    path = ingest.file("book.md", "".join(f"# Chapter {n}\n\n{'A word and another. ' * 300}\n\n" for n in range(10)))
    process = subprocess.Popen(
        [str(INGEST), "add", path, *OWNER], env=ingest.environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    artifacts = ingest.folder / "home/artifacts/parsed_documents"
    deadline = time.monotonic() + 60
    while not artifacts.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = (ingest.folder / "home/bucket/ann/p/book.md").stat()
    (row,) = ingest.json("add", path, *OWNER)
    assert row["state"] in {"succeeded", "unchanged"}, "its run may have come to its end by itself"
    after = (ingest.folder / "home/bucket/ann/p/book.md").stat()
    assert (after.st_ino, after.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns), (
        "a run that goes on reads what it began"
    )
    (hit,) = ingest.json("search", "word", *OWNER, "-k", "1")
    assert hit["filename"] == "book.md"


def test_an_interrupted_add_leaves_a_cancelled_run(ingest: Home) -> None:
    path = ingest.file("a.txt", "The lamp is lit at dusk.")
    process = subprocess.Popen(
        [str(INGEST), "add", path, *OWNER], env=ingest.environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    runs = ingest.folder / "home/history/runs"
    deadline = time.monotonic() + 120
    while not [shard for shard in runs.glob("*.db") if shard.name != "index.db"] and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    with dg.DagsterInstance.from_config(str(ingest.folder / "home")) as instance:
        (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert "succeeded" in ingest("add", path, *OWNER)


def test_a_password_is_never_shown(ingest: Home) -> None:
    url = "https://bob:S3cret@127.0.0.1:9"
    (ingest.folder / "home").mkdir()
    assert "S3cret" not in ingest("config", INGEST_CHROMA=url)
    assert "S3cret" not in ingest("status", code=3, INGEST_CHROMA=url)


def test_old_runs_are_deleted_and_everything_else_stays(ingest: Home) -> None:
    ingest("add", ingest.file("a.txt", "The lamp is lit at dusk."), *OWNER)
    events = ingest.folder / "home/history/runs"
    (shard,) = [path for path in events.glob("*.db") if path.name != "index.db"]
    assert "0 runs deleted" in ingest("prune-runs")
    assert ingest.json("prune-runs", "--days", "0") == {"deleted": 1}
    assert not shard.exists()
    assert ingest.json("search", "lamp", *OWNER)[0]["filename"] == "a.txt"
    assert "unchanged" in ingest("add", ingest.file("a.txt", "The lamp is lit at dusk."), *OWNER)


def test_questions_of_standard_input_are_answered_by_one_process(lamp: Home) -> None:
    done = subprocess.run(
        [str(INGEST), "search", "-", *OWNER, "--json"],
        env=lamp.environment,
        input="when is the lamp lit?\n\nlamp\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["query"] for answer in answers] == ["when is the lamp lit?", "lamp"]
    assert all(answer["hits"][0]["filename"] == "a.txt" for answer in answers)

"""Test files that need more memory than their run may have: with real files, the real model and the real cap."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from ingest_assets_tests.cli.test_main import INGEST, OWNER, Home
from ingest_assets_tests.conftest import ROOT
from testing.pdf_bomb import pdf

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BOOK = "".join(
    f"# Chapter {n}\n\n" + f"The lamp of station {n} is lit at dusk and put out at dawn. " * 400 for n in range(6)
)


def capped(folder: Path, model_cache: Path, *, cap_mb: int, preload: str = "") -> Home:
    """Return a home whose runs have a cap, and whose warm process imports one more module."""
    home = Home(folder, model_cache)
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    config = settings["run_launcher"]["config"]
    config["memory_limit_mb"] = cap_mb
    if preload:
        config["preload_modules"].append(preload)
        home.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    (folder / "home").mkdir(parents=True)
    (folder / "home/dagster.yaml").write_text(yaml.safe_dump(settings))
    return home


def runs(home: Home) -> list[dict[str, str]]:
    """Return the tags of all runs, oldest first."""
    with dg.DagsterInstance.from_config(str(home.folder / "home")) as instance:
        return [dict(run.tags) for run in reversed(instance.get_runs())]


def chunks(home: Home, name: str) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = home.json("chunks", f"ann/p/{name}", "--limit", "1000")
    return [(row["chunk_id"], row["text"]) for row in rows]


def test_a_page_that_explodes_is_left_unread_and_the_rest_is_published(tmp_path: Path, model_cache: Path) -> None:
    home = capped(tmp_path / "small", model_cache, cap_mb=400)
    path = home.file("log.pdf", pdf(20, exploding={9}))
    (outcome,) = home.json("add", path, *OWNER, code=1)
    assert (outcome["state"], outcome["quarantined"]) == ("partial", [9])
    assert "page 9 needs more memory" in home("status", "--problems", code=1)
    windows = [(tags["ingest/window"], tags["memory_capped/outcome"]) for tags in runs(home)]
    assert windows == [*((size, "out_of_memory") for size in ("16", "8", "4", "2", "1")), ("1", "succeeded")]
    text = " ".join(text for _, text in chunks(home, "log.pdf"))
    assert "Page 8, line 29" in text
    assert "Page 10, line 0" in text
    assert "Page 9," not in text


def test_smaller_windows_yield_the_same_chunks_and_the_next_files_begin_with_them(
    tmp_path: Path, model_cache: Path
) -> None:
    """The book has four parts of 100 MB: a window of four is over the cap on every processor, one of two is not."""
    free = Home(tmp_path / "free", model_cache)
    free("add", free.file("book.txt", BOOK), *OWNER)
    small = capped(tmp_path / "small", model_cache, cap_mb=400, preload="testing.heavy_parts")
    small("add", small.file("book.txt", BOOK), *OWNER)
    assert chunks(small, "book.txt") == chunks(free, "book.txt")
    ends = [(run["ingest/window"], run["memory_capped/outcome"]) for run in runs(small)]
    assert ends == [*((size, "out_of_memory") for size in ("16", "8", "4")), ("2", "succeeded")]
    for number in range(2):
        small("add", small.file(f"look-alike-{number}.txt", BOOK.replace("lamp", f"beacon {number}")), *OWNER)
    later = [(run["ingest/window"], run["memory_capped/outcome"]) for run in runs(small)[len(ends) :]]
    assert later == [("2", "succeeded")] * 2


def test_what_is_pending_is_worked_off_by_name_and_number(tmp_path: Path, model_cache: Path) -> None:
    home = Home(tmp_path, model_cache)
    bucket = tmp_path / "home/bucket/ann/p"
    bucket.mkdir(parents=True)
    for number in range(3):
        (bucket / f"{number}.txt").write_text(f"The lamp {number} is lit at dusk.")
    settled = {"INGEST_SETTLE_S": "0", "INGEST_DELETE_GRACE_S": "1"}  # `--until-empty` waits for the grace
    assert "1 files processed, 0 removed, 2 left" in home("work", "--max-files", "1", code=4, settings=settled)
    assert "2 files processed, 0 removed, 0 left" in home("work", "--until-empty", settings=settled)
    (bucket / "1.txt").unlink()
    (bucket / "2.txt").write_bytes(b"")
    said = home("work", "--until-empty", code=1, settings=settled)
    assert "ann/p/1.txt: gone from the bucket, removed" in said
    assert "the file is empty" in said
    assert "0 files processed, 0 removed, 0 left" in home("work", settings=settled)
    (bucket.parent / "lonely.txt").write_text("The lamp of nobody's project.")
    for said in (home("work", code=1, settings=settled), home("status", code=1)):
        assert "left in the bucket: 'ann/lonely.txt'" in said


def test_work_that_is_killed_is_taken_up_by_the_next(tmp_path: Path, model_cache: Path) -> None:
    home = Home(tmp_path, model_cache)
    bucket = tmp_path / "home/bucket/ann/p"
    bucket.mkdir(parents=True)
    for number in range(3):
        (bucket / f"{number}.md").write_text(BOOK[: 20_000 + number])
    environment = home.environment | {"INGEST_SETTLE_S": "0"}
    process = subprocess.Popen(
        [str(INGEST), "work"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "home/artifacts/parsed_documents").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    home("work", "--until-empty", INGEST_SETTLE_S="0")
    assert [(record["state"], record["generation"]) for record in home.json("files")] == [("succeeded", 1)] * 3

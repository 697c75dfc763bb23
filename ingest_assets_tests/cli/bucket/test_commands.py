"""Test the commands about the bucket as a whole on a real home: index, confirm-deletes, erase."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest_assets_tests.cli.command_line import Home

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, model_cache: Path) -> Home:
    return Home(tmp_path, model_cache)


def test_an_owner_is_erased_and_others_are_kept(home: Home) -> None:
    for user, project in (("ann", "p"), ("ann", "q"), ("bob", "p")):
        home("add", home.file(f"{user}-{project}.txt", f"the gauge of {user} {project}"), "-u", user, "-p", project)
    erased = home.json("erase", "--user", "ann", "--project", "p", "--yes")
    assert (erased["objects"], erased["records"], erased["rows"], erased["runs"]) == (1, 1, 1, 1)
    assert [each["key"] for each in home.json("files")] == ["ann/q/ann-q.txt", "bob/p/bob-p.txt"]
    said = home("erase", "--user", "ann", "--yes")
    assert said.startswith("ann: removed 1 files of the bucket, 1 records")
    kept = [path.name for path in home.folder.rglob("*ann*") if path.suffix != ".txt" or "bucket" in path.parts]
    assert kept == []
    assert home.json("search", "gauge", "-u", "bob", "-p", "p")[0]["filename"] == "bob-p.txt"
    home("validate")


def test_deletes_that_look_like_a_mistake_wait_for_a_person(home: Home) -> None:
    folder = home.folder / "texts"
    for number in range(21):  # 20 may always leave
        home.file(f"texts/{number:02}.txt", f"note {number}")
    home("add", str(folder), "-u", "ann", "-p", "p")
    shutil.rmtree(home.folder / "home/bucket/ann/p")
    (home.folder / "home/bucket/ann/other").mkdir()
    (home.folder / "home/bucket/ann/other/a.txt").write_text("something else")
    home.environment |= {"INGEST_DELETE_GRACE_S": "0", "INGEST_SETTLE_S": "0"}
    home("work", code=0)
    said = home("work", code=1)
    assert "21 of 22 files of all projects are gone" in said
    assert len(home.json("files")) == 22
    status = home.json("status", code=1)
    assert status["missing"] == 21
    assert "ingest confirm-deletes" in status["waiting_deletes"][0]
    assert home("confirm-deletes").startswith("21 files are missing")
    home("work")
    assert [each["key"] for each in home.json("files")] == ["ann/other/a.txt"]


def test_a_file_that_waits_is_shown_with_its_way(home: Home) -> None:
    home("add", home.file("a.txt", "the gauge"), "-u", "ann", "-p", "p")
    arrived = home.folder / "home/bucket/ann/p/b.txt"
    arrived.write_text("the boat")
    home.environment["INGEST_SETTLE_S"] = "0"
    assert home.json("status")["states"]["pending"] == 1
    assert home("status", "ann/p/b.txt") == "ann/p/b.txt is pending: no run was asked for yet\n"
    assert home("status", "ann/p/a.txt").startswith("ann/p/a.txt: succeeded")


def test_the_index_is_made_again_by_one_command(home: Home) -> None:
    home("add", home.file("a.txt", "the gauge"), "-u", "ann", "-p", "p")
    (home.folder / "home/index.db").unlink()
    assert "1 files differed" in home("index")
    assert "0 files differed" in home("index")
    assert home.json("status")["states"]["succeeded"] == 1

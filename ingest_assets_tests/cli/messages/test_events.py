"""Test that `ingest notify` takes the keys of files and names the others, and that `ingest inbox` shows what waits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ingest_assets.index.database import Database
from ingest_assets.messaging.inbox import Inbox
from ingest_assets_tests.cli.command_line import INGEST, Home

pytestmark = pytest.mark.slow


@pytest.fixture
def ingest(tmp_path: Path, model_cache: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path, model_cache)


def inbox_of(ingest: Home) -> Inbox:
    return Inbox(Database(f"sqlite:///{ingest.folder / 'home' / 'index.db'}"))


def test_keys_of_files_are_taken_and_the_others_are_named(ingest: Home) -> None:
    said = ingest("notify", "ann/p/a.txt", "ann/p/ü/b c.txt", "stray.txt", "ann/p/.hidden", "ann/p/../b", code=1)
    assert "2 keys will be looked at, 3 refused" in said
    assert all(name in said for name in ("stray.txt", ".hidden", ".."))
    assert [entry.key for entry in inbox_of(ingest).take(10)] == ["ann/p/a.txt", "ann/p/ü/b c.txt"]


def test_keys_come_from_standard_input_and_the_answer_is_json(ingest: Home) -> None:
    done = subprocess.run(
        [str(INGEST), "notify", "-", "--json"],
        input="".join(f"ann/p/{number}.txt\n" for number in range(2_500)) + "\nbad\n",
        env=ingest.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["taken"], [each["key"] for each in answer["refused"]]) == (1, 2_500, ["bad"])
    assert inbox_of(ingest).depth() == 2_500


def test_the_inbox_shows_what_waits_and_what_could_not_be_read(ingest: Home) -> None:
    assert ingest.json("inbox") == {"waiting": 0, "oldest_s": 0.0, "set_aside": 0, "messages": []}
    ingest("notify", "ann/p/a.txt")
    inbox_of(ingest).set_aside("{", source="uploads", name="m1", reason="it is no object in JSON \x1b[2J")
    said = ingest("inbox", code=1)
    assert "1 keys wait to be looked at" in said
    assert "uploads: it is no object in JSON" in said
    assert "\x1b" not in said


def test_commands_about_events_need_a_home(tmp_path: Path, model_cache: Path) -> None:
    nowhere = Home(tmp_path / "none", model_cache)
    for words in (["notify", "ann/p/a.txt"], ["inbox"], ["listen"]):
        assert "there is no home" in nowhere(*words, code=2)

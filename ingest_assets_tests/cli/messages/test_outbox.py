"""Test `ingest outbox`: what it shows, fits and sends again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.config.settings import load_settings
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.project import Project
from ingest_assets_tests.cli.command_line import OWNER, Home
from ingest_assets_tests.messaging.outbox_parts import WEBHOOK, put
from testing.receiver import receiving

pytestmark = pytest.mark.slow

LONG = "ann:p:" + "a long name of a report about the tides " * 3 + ".pdf"
SETTINGS = {
    "INGEST_PROGRESS_URL": "http://127.0.0.1:9/hook/s3cret",
    "INGEST_PROGRESS_SECRET": "a secret for the tests",
    "INGEST_URL_ALLOW": "127.0.0.1",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path, tmp_path / "models")


@pytest.fixture
def outbox(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    monkeypatch.setenv("DAGSTER_HOME", home.environment["DAGSTER_HOME"])
    opened = Project(load_settings()).outbox
    yield opened
    opened.database.close()


def test_what_waits_and_what_was_given_up_is_listed_with_its_reason(home: Home, outbox: Outbox) -> None:
    for file_id in (LONG, "ann:p:b.pdf", "ann:p:c.pdf"):
        put(outbox, file_id, "x", targets=(WEBHOOK, "webhook:https://hook.example/t0ken"))
    for entry in outbox.claim("webhook", limit=3, claim="test"):
        outbox.refused(entry, "127.0.0.1:9: it answered 401")
    outbox.release("test")
    text = home.run("outbox", code=1, COLUMNS="80", settings=SETTINGS).stdout
    assert "3 messages wait" in text and "3 were given up" in text
    assert "1: 127.0.0.1:9: it answered 401" in text
    assert "ann/p/b.pdf" in text and "s3cret" not in text and "t0ken" not in text
    assert max(map(len, text.splitlines())) <= 80
    shown = home.json("outbox", code=1, settings=SETTINGS)
    assert (shown["pending"], shown["dead"]) == (3, 3)
    assert {each["to"] for each in shown["dead_letters"]} == {"progress to 127.0.0.1:9", "callback to hook.example"}
    assert "s3cret" not in str(shown) and "t0ken" not in str(shown)


def test_dead_letters_are_sent_again_by_id_or_all(home: Home, outbox: Outbox) -> None:
    for name in "abc":
        put(outbox, f"ann:p:{name}", "x")
    for entry in outbox.claim("webhook", limit=3, claim="test"):
        outbox.refused(entry, "it answered 404")
    assert home("outbox", "--replay", "1", "--replay", "2").startswith("2 messages")
    assert home.json("outbox", "--replay", "all") == {"replayed": 1}
    assert "3 messages wait" in home("outbox")
    assert "no dead letter has the id 7" in home("outbox", "--replay", "7", code=1)
    assert "write the id" in home("outbox", "--replay", "first", code=1)


def test_an_empty_outbox_is_all_well(home: Home) -> None:
    assert home("outbox").startswith("0 messages wait; 0 were given up")


def test_without_a_home_nothing_is_made(tmp_path: Path) -> None:
    nowhere = Home(tmp_path, tmp_path / "models")
    assert "there is no home" in nowhere("outbox", code=2)
    assert not (tmp_path / "home").exists()


def test_adding_a_file_tells_every_state_and_stage_and_nothing_where_nothing_changed(
    tmp_path: Path, model_cache: Path
) -> None:
    home = Home(tmp_path, model_cache)
    tide = home.file("tide.txt", "High water comes twice a day.")
    with receiving() as receiver:
        settings = SETTINGS | {"INGEST_PROGRESS_URL": receiver.url}
        home.run("add", tide, *OWNER, settings=settings)
        told = [each.message for each in receiver.got]
        assert [each["state"] for each in told][-1] == "succeeded"
        stages = list(dict.fromkeys(each["stage"] for each in told if each["state"] == "processing"))
        assert stages == ["raw_files", "parsed_documents", "image_captions", "chunks", "embeddings"]
        assert [each["sequence"] for each in told] == sorted({each["sequence"] for each in told})
        assert told[-1]["chunks"] == 1 and told[-1]["key"] == "ann/p/tide.txt"
        home.run("add", tide, *OWNER, settings=settings)
        assert len(receiver.got) == len(told)
        home.run("remove", "ann/p/tide.txt", settings=settings)
        home.run("work", settings=settings)
        assert [each.message["state"] for each in receiver.got[len(told) :]] == ["removed"]


def test_a_receiver_that_is_away_fails_no_command_and_hears_of_everything_later(
    tmp_path: Path, model_cache: Path
) -> None:
    home = Home(tmp_path, model_cache)
    done = home.run("add", home.file("tide.txt", "High water comes twice a day."), *OWNER, settings=SETTINGS)
    assert "connection failed" in done.stderr and "ingest outbox" in done.stderr
    with receiving() as receiver:
        waiting, before = home.json("outbox", settings=SETTINGS), home("status", settings=SETTINGS)
        home.run("work", settings=SETTINGS | {"INGEST_PROGRESS_URL": receiver.url})
        assert waiting["pending"] >= 6
        assert f"{waiting['pending']} messages wait, the oldest for" in before
        left = home.json("outbox", settings=SETTINGS)["pending"]
        assert len(receiver.got) + left == waiting["pending"]


def test_a_callback_that_may_not_be_called_is_wrong_usage(home: Home) -> None:
    words = ("add", home.file("tide.txt", "High water."), *OWNER, "--callback", "http://10.0.0.9/hook")
    assert "--callback: 10.0.0.9" in home(*words, code=2, settings=SETTINGS)


def test_a_callback_hears_of_its_files_also_where_nothing_changed(tmp_path: Path, model_cache: Path) -> None:
    home = Home(tmp_path, model_cache)
    tide = home.file("tide.txt", "High water comes twice a day.")
    settings = {name: value for name, value in SETTINGS.items() if name != "INGEST_PROGRESS_URL"}
    with receiving() as receiver:
        home.run("add", tide, *OWNER, "--callback", receiver.url, settings=settings)
        told = [each.message["state"] for each in receiver.got]
        assert told[0] == "processing" and told[-1] == "succeeded"
        home.run("add", tide, *OWNER, "--callback", receiver.url, settings=settings)
        assert [each.message["state"] for each in receiver.got[len(told) :]] == ["succeeded"]
        assert len({each.message["id"] for each in receiver.got}) == len(receiver.got)

"""Test that `ingest doctor` names what is wrong with messages, and makes nothing for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.cli.messages.health import message_problems
from ingest_assets.config.settings import Settings
from ingest_assets.messaging.outbox import Outbox
from ingest_assets.project import Project
from ingest_assets_tests.messaging.outbox_parts import message
from testing.object_storage import s3_server
from testing.watched_bucket import WatchedBucket


def settings(home: Path, **more: str) -> Settings:
    return Settings.model_validate({"DAGSTER_HOME": home, **more})


def test_a_home_without_an_index_has_no_problem_and_gets_no_index(tmp_path: Path) -> None:
    assert list(message_problems(settings(tmp_path))) == []
    assert list(tmp_path.iterdir()) == []


def test_messages_that_could_not_be_read_or_were_given_up_are_named(tmp_path: Path) -> None:
    project = Project(settings(tmp_path), prepares=False)
    project.inbox.set_aside("nonsense", source="events", name="1", reason="no JSON")
    outbox: Outbox = project.outbox
    with project.database.begin() as connection:
        outbox.put(connection, message("ann:p:a.pdf"), targets=["http://127.0.0.1:9/x"])
    (entry,) = outbox.claim("http", limit=1, claim="test")
    outbox.refused(entry, "410 Gone")
    unreadable, dead = message_problems(settings(tmp_path))
    assert "1 different messages" in unreadable.what
    assert "ingest outbox" in dead.todo


def test_a_queue_that_is_away_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    away = {"INGEST_BUCKET": "s3://team-files", "INGEST_EVENTS_QUEUE": "http://127.0.0.1:9/1/q"}
    (problem,) = message_problems(settings(tmp_path, **away))
    assert "EndpointConnectionError" in problem.what
    assert "INGEST_EVENTS_QUEUE" in problem.todo


@pytest.mark.slow
def test_a_queue_that_nobody_receives_is_named(
    tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest_assets.cli.messages.health._MANY", 2)
    with s3_server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        watched = WatchedBucket(server, tmp_path / "home", model_cache)
        given = {name: value for name, value in watched.environment.items() if name.startswith("INGEST_")}
        asked = settings(tmp_path / "home", **given)
        for number in range(3):
            watched.put(f"{number}.txt", "hello")
        (problem,) = message_problems(asked)
        assert "messages wait in the queue" in problem.what

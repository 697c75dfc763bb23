"""Test that Dagster's daemon delivers the messages of the outbox."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from ingest_assets.config.settings import Settings
from ingest_assets.defs.definitions import build
from ingest_assets.defs.noticing.progress_sensor import progress
from ingest_assets.project import Project
from ingest_assets_tests.messaging.outbox_parts import put
from testing.receiver import receiving, status


def test_a_tick_sends_what_is_due_and_says_what_came_of_it(tmp_path: Path) -> None:
    with receiving() as receiver, dg.DagsterInstance.ephemeral() as instance:
        project = Project(
            Settings.model_validate(
                {
                    "DAGSTER_HOME": tmp_path,
                    "INGEST_PROGRESS_URL": receiver.url,
                    "INGEST_PROGRESS_SECRET": "a secret for the tests",
                    "INGEST_URL_ALLOW": "127.0.0.1",
                }
            )
        )

        def tick() -> str:
            context = dg.build_sensor_context(instance=instance, resources={"ingest_project": project})
            result = progress(context)
            assert isinstance(result, dg.SkipReason)
            return str(result.skip_message)

        put(project.outbox, "ann:p:a.pdf", "a1")
        assert "1 messages sent, 0 failed" in tick()
        assert receiver.texts() == ["a1"]
        receiver.answer = status(500)
        put(project.outbox, "ann:p:a.pdf", "a2")
        assert "1 failed" in tick()
        assert "0 failed" in tick(), "it rests"
        project.database.close()


def test_the_sensor_is_on_and_is_part_of_the_project(tmp_path: Path) -> None:
    found = {each.name: each for each in build(Settings.model_validate({"DAGSTER_HOME": tmp_path})).sensors or []}
    assert found["progress"].default_status is dg.DefaultSensorStatus.RUNNING

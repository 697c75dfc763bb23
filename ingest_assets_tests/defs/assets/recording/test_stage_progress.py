"""Test that the percent of a file follows its parts, and stays between those of the stages around."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from ingest_assets.defs.assets.recording.stage_progress import StageProgress
from ingest_assets.index.database import Database
from ingest_assets.index.file_index import FileIndex
from ingest_assets.index.state_change import StateChange


@pytest.fixture
def told() -> list[StateChange]:
    return []


@pytest.fixture
def index(tmp_path: Path, told: list[StateChange]) -> Iterator[FileIndex]:
    database = Database(f"sqlite:///{tmp_path}/index.db")

    def hear(_: Connection, change: StateChange) -> None:
        told.append(change)

    yield FileIndex(database, listeners=[hear])
    database.close()


def test_the_percent_follows_the_parts_up_to_where_the_next_stage_begins(
    index: FileIndex, told: list[StateChange]
) -> None:
    progress = StageProgress(index, "ann:p:a.pdf", "embeddings", every_s=0)
    progress.begin()
    assert list(progress.through("abcd", of=4)) == list("abcd")
    assert [(each.stage, each.percent) for each in told] == [
        ("embeddings", percent) for percent in (65, 73, 82, 91, 100)
    ]
    StageProgress(index, "ann:p:a.pdf", "image_captions").begin()
    assert told[-1].percent == 50


def test_more_parts_than_expected_stay_within_the_stage_and_an_unknown_number_tells_nothing(
    index: FileIndex, told: list[StateChange]
) -> None:
    progress = StageProgress(index, "ann:p:a.pdf", "parsed_documents", every_s=0)
    list(progress.through("abc", of=2))
    assert [each.percent for each in told] == [27, 50]
    told.clear()
    list(progress.through("abc", of=0))
    assert told == []


def test_parts_that_come_quickly_are_told_of_now_and_then(index: FileIndex, told: list[StateChange]) -> None:
    list(StageProgress(index, "ann:p:a.pdf", "embeddings").through(range(1000), of=1000))
    assert told == []

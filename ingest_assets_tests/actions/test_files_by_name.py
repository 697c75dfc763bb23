"""Test removing a file by name and asking for it again, on a real folder, index and store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.actions.files_by_name import ask_again, remove
from ingest_assets.config.settings import Settings
from ingest_assets.errors import BadInput
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.project import Project

KEY, FILE_ID = "ann/p/a.txt", "ann:p:a.txt"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project that has read one file, whose text was empty."""
    made = Project(Settings.model_validate({"DAGSTER_HOME": tmp_path, "INGEST_SETTLE_S": 0}))
    made.mark_bucket()
    path = Path(made.settings.bucket) / KEY
    path.parent.mkdir(parents=True)
    path.touch()
    seen = made.bucket.stat(KEY)
    assert seen is not None
    made.store.note(
        FileRecord(
            file_id=FILE_ID,
            user_id="ann",
            project_id="p",
            filename="a.txt",
            key=KEY,
            state=State.EMPTY,
            version=seen.version,
        )
    )
    yield made
    made.close()


def test_a_removed_file_is_gone_from_bucket_store_and_index(project: Project) -> None:
    assert remove(project, FILE_ID) == 0
    assert (project.bucket.stat(KEY), project.store.file(FILE_ID)) == (None, None)
    assert project.index.is_empty()
    assert remove(project, FILE_ID) is None


def test_a_file_that_is_asked_for_again_counts_as_not_attempted(project: Project) -> None:
    assert ask_again(project, FILE_ID, afresh=False)
    record = project.store.file(FILE_ID)
    assert record is not None
    assert record.version == ""
    assert not ask_again(project, "ann:p:unknown.txt", afresh=False)


def test_a_file_that_is_gone_from_the_bucket_cannot_be_asked_for_again(project: Project) -> None:
    project.bucket.delete(KEY)
    with pytest.raises(BadInput, match="gone from the bucket"):
        ask_again(project, FILE_ID, afresh=True)

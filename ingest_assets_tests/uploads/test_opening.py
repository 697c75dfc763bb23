"""What uploads leave behind is finished, swept or erased."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.project import Project
from ingest_assets.uploads.form import UploadForm
from ingest_assets.uploads.job_table import JOBS
from ingest_assets.uploads.multipart_reader import BodyLimits
from ingest_assets.uploads.opening import erase_uploads, open_keeping, sweep_uploads
from ingest_assets.uploads.receiving import ReceivedFile, Receiving
from ingest_assets_tests.uploads.conftest import BOUNDARY
from ingest_assets_tests.uploads.test_multipart_reader import body, part


@pytest.fixture
def project(tmp_path: Path) -> Project:
    opened = Project(Settings.model_validate({"DAGSTER_HOME": tmp_path, "INGEST_SETTLE_S": 0}))
    opened.bucket.prepare()
    return opened


def received(project: Project, name: str) -> list[ReceivedFile]:
    receiving = Receiving(project.bucket, BOUNDARY, limits=BodyLimits(max_files=1, max_file_bytes=100))
    receiving.feed(body(part("files", name.encode(), name)))
    return receiving.files


def begun(project: Project, name: str, *, user: str = "ann") -> str:
    keeping = open_keeping(project)
    planned = keeping.plan(UploadForm(user_id=user, project_id="p"), received(project, name))
    return keeping.begin(planned, user_id=user, project_id="p").job_id


def age(project: Project) -> None:
    """Make all uploads two days old, and all jobs due."""
    for path in (Path(project.settings.bucket) / ".ingest-staging").iterdir():
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    with project.database.begin() as connection:
        connection.execute(JOBS.update().values(due_s=0))


def staged(project: Project) -> list[Path]:
    return list((Path(project.settings.bucket) / ".ingest-staging").glob("[!.]*"))


def test_a_sweep_finishes_a_job_and_removes_what_belongs_to_none(project: Project) -> None:
    received(project, "lost.txt")
    begun(project, "kept.txt")
    age(project)
    assert sweep_uploads(project) == 1
    assert staged(project) == []
    assert [item.key for item in project.bucket.list()] == ["ann/p/kept.txt"]


def test_a_sweep_leaves_what_is_arriving(project: Project) -> None:
    received(project, "arriving.txt")
    assert sweep_uploads(project) == 0
    assert len(staged(project)) == 1


def test_what_is_erased_does_not_come_back(project: Project) -> None:
    begun(project, "a.txt")
    other = begun(project, "b.txt", user="bob")
    assert erase_uploads(project, user_id="ann") == 1
    age(project)
    sweep_uploads(project)
    assert [item.key for item in project.bucket.list()] == ["bob/p/b.txt"]
    assert open_keeping(project).jobs.get(other) is not None

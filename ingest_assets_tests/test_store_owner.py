"""Two homes with buckets of their own cannot use one store: neither removes the other's files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.project import Project

KNOWN = FileRecord(
    file_id="ann:p:a", user_id="ann", project_id="p", filename="a", key="ann/p/a", state=State.EMPTY, version="v1"
)


def _project(folder: Path, home: str) -> Project:
    settings = Settings.model_validate({"DAGSTER_HOME": folder / home, "INGEST_CHROMA": str(folder / "shared")})
    project = Project(settings)
    project.bucket.prepare()
    return project


def test_a_second_home_with_another_bucket_is_refused(tmp_path: Path) -> None:
    assert _project(tmp_path, "first").store.files() == []
    with pytest.raises(ConfigError, match=r"belongs to the bucket .*/first/bucket, not to .*/second/bucket"):
        _ = _project(tmp_path, "second").store


def test_a_bucket_that_was_moved_keeps_its_store(tmp_path: Path) -> None:
    first = _project(tmp_path, "first")
    assert first.store.files() == []
    first.store.close()
    (tmp_path / "first").rename(tmp_path / "renamed")
    assert _project(tmp_path, "renamed").store.files() == []


def test_a_store_can_be_searched_while_its_bucket_is_not_mounted(tmp_path: Path) -> None:
    first = _project(tmp_path, "first")
    assert first.store.files() == []
    first.store.close()
    (tmp_path / "first" / "bucket").rename(tmp_path / "elsewhere")
    assert Project(first.settings).store.files() == []


def test_a_store_that_is_taken_over_refuses_its_first_home(tmp_path: Path) -> None:
    first, second = _project(tmp_path, "first"), _project(tmp_path, "second")
    assert first.store.files() == []
    second.take_over_store()
    assert second.store.files() == []
    with pytest.raises(ConfigError, match=r"belongs to the bucket .*/second/bucket"):
        _ = _project(tmp_path, "first").store


def test_files_in_a_mount_point_do_not_make_it_the_bucket_of_its_store(tmp_path: Path) -> None:
    first = _project(tmp_path, "first")
    first.store.close()
    bucket = tmp_path / "first" / "bucket"
    bucket.rename(tmp_path / "elsewhere")
    (bucket / "ann/p").mkdir(parents=True)
    (bucket / "ann/p/uploaded").write_text("while the volume was away")
    with pytest.raises(ConfigError, match=r"another bucket that was at .*/first/bucket: is its volume mounted"):
        Project(first.settings).mark_bucket()


def test_a_bucket_that_is_replaced_under_an_open_store_is_noticed(tmp_path: Path) -> None:
    first, bucket = _project(tmp_path, "first"), tmp_path / "first" / "bucket"
    first.mark_bucket()
    bucket.rename(tmp_path / "elsewhere")
    first.follow_bucket()
    FolderBucket(bucket).prepare()
    for _ in range(2):
        with pytest.raises(ConfigError, match="is its volume mounted"):
            first.follow_bucket()
    shutil.rmtree(bucket)
    (tmp_path / "elsewhere").rename(bucket)
    first.follow_bucket()


def test_a_new_home_needs_no_bucket_before_it_is_made(tmp_path: Path) -> None:
    project = Project(Settings.model_validate({"DAGSTER_HOME": tmp_path}))
    project.require_known_bucket()
    project.mark_bucket()
    project.require_known_bucket()
    assert project.bucket.identity()


def test_a_mount_point_is_not_marked_where_the_store_has_files(tmp_path: Path) -> None:
    settings = Settings.model_validate({"DAGSTER_HOME": tmp_path})
    project = Project(settings)
    project.mark_bucket()
    project.store.note(KNOWN)
    project.require_known_bucket()
    (tmp_path / "bucket/.ingest-bucket").unlink()
    with pytest.raises(OutsideError, match="is its volume mounted"):
        project.require_known_bucket()
    (tmp_path / "bucket").rmdir()
    with pytest.raises(OutsideError, match="is not there"):
        project.require_known_bucket()

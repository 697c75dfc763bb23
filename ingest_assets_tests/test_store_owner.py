"""Two homes with buckets of their own cannot use one store: neither removes the other's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.errors import ConfigError
from ingest_assets.project import Project


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

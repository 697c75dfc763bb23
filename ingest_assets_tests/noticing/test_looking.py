"""Test looks at a real folder and index: places that cannot be read, odd names, and a bucket that is another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.file_ids import file_id_of
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.noticing import looking
from ingest_assets.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(
        Settings.model_validate({"DAGSTER_HOME": tmp_path, "INGEST_SETTLE_S": 0, "INGEST_DELETE_GRACE_S": 0})
    )
    made.mark_bucket()
    return made


def put(project: Project, *keys: str) -> None:
    for key in keys:
        path = Path(project.settings.bucket) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a note")


def know(project: Project, *keys: str) -> None:
    """Let the ledger, as far as the index knows it, have these files."""
    for key in keys:
        user, folder, name = key.split("/", 2)
        seen = project.bucket.stat(key)
        record = FileRecord(
            file_id=file_id_of(key), user_id=user, project_id=folder, filename=name, key=key, state=State.SUCCEEDED,
            version=seen.version if seen else "",
        )  # fmt: skip
        project.index.record(record)


def gone(project: Project) -> list[str]:
    for _ in range(3):
        project.noticing.look(within_s=0, whole=True)
    return project.deletes.gone(limit=100)[0]


def test_files_of_an_empty_share_at_the_end_of_a_page_are_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_STRETCH", 2)
    put(project, "ann/p/a.txt", "bob/p/b.txt", "bob/p/c.txt", "cid/p/d.txt")
    know(project, "ann/p/a.txt", "bob/p/b.txt", "bob/p/c.txt", "cid/p/d.txt")
    for name in ("b.txt", "c.txt"):
        (Path(project.settings.bucket) / "bob/p" / name).unlink()
    (Path(project.settings.bucket) / "bob/p").rmdir()
    assert gone(project) == []
    (Path(project.settings.bucket) / "bob").rmdir()
    assert gone(project) == ["bob:p:b.txt", "bob:p:c.txt"]


def test_a_name_that_is_no_text_is_named_and_stops_no_other(project: Project) -> None:
    put(project, "ann/p/a.txt", "ann/p/z.txt", os.fsdecode(b"ann/p/b\xff.txt"), os.fsdecode(b"us\xff/p/a.txt"))
    noticed = project.noticing.look(within_s=0, whole=True)
    assert [each.key for each in project.pending.next(limit=9)] == ["ann/p/a.txt", "ann/p/z.txt"]
    assert ["not valid UTF-8" in place.reason for place in noticed.unreadable] == [True, True]


def test_named_keys_are_not_missing_from_an_unknown_bucket(project: Project) -> None:
    put(project, "ann/p/a.txt", "ann/p/b.txt", "ann/p/c.txt")
    know(project, "ann/p/a.txt", "ann/p/b.txt", "ann/p/c.txt")
    root = Path(project.settings.bucket)
    root.rename(root.with_name("elsewhere"))
    put(project, "other/p/x.txt")  # another volume is mounted there
    for _ in range(2):
        project.inbox.put(["ann/p/a.txt"], why="test")
        noticed = project.noticing.look(within_s=0, whole=True)
        assert noticed.is_unknown
    assert project.deletes.gone(limit=9) == ([], [])

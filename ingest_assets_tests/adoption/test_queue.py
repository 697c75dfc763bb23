"""What the queue left is read: its files go into the bucket, and its states decide what becomes of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest_assets.adoption.adopt import Step
from ingest_assets.adoption.queue import half_read, put_unread, read_queue
from ingest_assets.buckets.folder import FolderBucket
from ingest_assets.errors import ConfigError
from ingest_assets.ledger_records import Scope

SCOPE = Scope("ann", "p")


def queue_in(folder: Path, *, checkpoint: object = None, **lists: object) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    queue = {"pending": [], "processing": [], "completed": [], "failed": []} | lists
    (folder / "checkpoints" / "file_queue.json").write_text(json.dumps(queue))
    if checkpoint is not None:
        (folder / "checkpoints" / "ingest_checkpoint.json").write_text(json.dumps(checkpoint))
    return folder


def test_the_checkpoint_is_newer_than_the_queue_file(tmp_path: Path) -> None:
    folder = queue_in(
        tmp_path,
        pending=["/app/t/a.txt", "/app/t/b.txt"],
        processing=["/app/t/sub/c.txt"],
        failed=["/app/t/d.txt"],
        checkpoint={
            "processed_files": {"/app/t/b.txt": {"timestamp": 1, "status": "completed"}},
            "failed_files": {"/app/t/d.txt": {"error": "API key refused"}},
        },
    )
    queue = read_queue(folder)
    assert queue.unread == ("/app/t/a.txt", "/app/t/sub/c.txt")
    assert queue.completed == ("/app/t/b.txt",)
    assert queue.failed == {"/app/t/d.txt": "API key refused"}
    assert [queue.name_of(path) for path in queue.unread] == ["a.txt", "sub/c.txt"]
    assert half_read(queue) == {"a.txt", "sub/c.txt", "d.txt"}


def test_unread_files_go_into_the_bucket_once(tmp_path: Path) -> None:
    (tmp_path / "now" / "sub").mkdir(parents=True)
    (tmp_path / "now" / "a.txt").write_text("The lamp is lit.")
    (tmp_path / "now" / "sub" / "c.txt").write_text("The lamp is out.")
    folder = queue_in(
        tmp_path / "q", pending=["/app/t/a.txt", "/app/t/sub/c.txt", "/app/t/gone.txt"], failed=["/app/t/d.txt"]
    )
    bucket = FolderBucket(tmp_path / "bucket")
    bucket.prepare()

    def run(*, apply: bool) -> dict[str, Step]:
        done = put_unread(read_queue(folder), files=tmp_path / "now", bucket=bucket, scope=SCOPE, apply=apply)
        return {each.key: each.step for each in done}

    refused = {"ann/p/gone.txt": Step.REFUSE, "ann/p/d.txt": Step.REFUSE}
    assert run(apply=False) == {"ann/p/a.txt": Step.UPLOAD, "ann/p/sub/c.txt": Step.UPLOAD} | refused
    assert bucket.stat("ann/p/a.txt") is None
    assert run(apply=True) == {"ann/p/a.txt": Step.UPLOAD, "ann/p/sub/c.txt": Step.UPLOAD} | refused
    assert bucket.stat("ann/p/a.txt") is not None
    assert run(apply=True) == {"ann/p/a.txt": Step.UNCHANGED, "ann/p/sub/c.txt": Step.UNCHANGED} | refused
    (tmp_path / "now" / "a.txt").write_text("Another lamp.")
    assert run(apply=True)["ann/p/a.txt"] is Step.REFUSE


@pytest.mark.parametrize(
    ("content", "told"),
    [("[]", "no JSON object"), ("{", "cannot be read"), ('{"pending": 3}', "no list"), ('{"pending": [3]}', "a path")],
)
def test_what_is_no_queue_is_refused_by_name(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "file_queue.json").write_text(content)
    with pytest.raises(ConfigError, match=told) as refused:
        read_queue(tmp_path)
    assert "file_queue.json" in str(refused.value)


def test_a_folder_without_a_queue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is expected below"):
        read_queue(tmp_path)

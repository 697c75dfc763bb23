"""Test the command line while the bucket, or a folder in it, is away or may not be read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ingest_assets_tests.cli.command_line import OWNER, Home
from testing.rights import bound_by_rights

pytestmark = pytest.mark.slow


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_a_bucket_that_is_away_or_may_not_be_read_costs_no_file_and_is_named(tmp_path: Path, model_cache: Path) -> None:
    ingest = Home(tmp_path, model_cache)
    ingest.environment |= {"INGEST_SETTLE_S": "0", "INGEST_DELETE_GRACE_S": "0"}
    ingest("add", ingest.file("a.txt", "The crane is yellow."), ingest.file("b.txt", "The boat is grey."), *OWNER)
    bucket = tmp_path / "home/bucket"

    bucket.rename(tmp_path / "elsewhere")
    assert "is not there" in ingest("work", code=3)
    assert "is not there" in ingest("status", code=1)
    assert not bucket.exists()

    bucket.mkdir()
    assert "is its volume mounted" in ingest("work", code=1)
    assert "is its volume mounted" in ingest("prepare", code=3)
    assert "is its volume mounted" in ingest("add", ingest.file("d.txt", "The mill is red."), *OWNER, code=3)
    (bucket / "ann/p").mkdir(parents=True)
    (bucket / "ann/p/e.txt").write_text("The kiln is black.")
    assert "is its volume mounted" in ingest("work", code=1)  # processed, so from now on it is a known file
    assert "is its volume mounted" in ingest("work", code=2)
    assert ingest.json("status")["states"]["succeeded"] == 3
    shutil.rmtree(bucket)

    (tmp_path / "elsewhere").rename(bucket)
    os.chown(bucket / "ann", 1234, 1234)
    (bucket / "ann").chmod(0o700)
    (bucket / "bob/p").mkdir(parents=True)
    (bucket / "bob/p/c.txt").write_text("The shed is green.")
    ingest.by = bound_by_rights()
    said = ingest("work", code=1)
    assert "ann: it may not be read" in said
    assert "c.txt" in said
    assert "ann: it may not be read" in ingest("status", code=1)
    assert "ann: it may not be read" in ingest("doctor", code=1)
    ingest.by = []
    assert ingest.json("status")["states"]["succeeded"] == 4  # with the one from the mount point

    (bucket / "ann/p/b.txt").unlink()
    assert ingest.json("work")["purged"] == ["ann/p/e.txt"]  # `status` missed it before
    assert ingest.json("work")["purged"] == ["ann/p/b.txt"]

"""Test the whole way of files that lie on S3 and on Google Cloud Storage: from the bucket to an answer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets.buckets.contract import Bucket
from ingest_assets.buckets.opening import open_bucket
from ingest_assets.config.settings import load_settings
from ingest_assets_tests.cli.command_line import INGEST, OWNER, Home
from testing.object_storage import GcsServer, S3Server, gcs_server, s3_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BOOK = "".join(
    f"# Chapter {n}\n\n" + f"The lamp of station {n} is lit at dusk and put out at dawn. " * 60 for n in range(6)
)


@pytest.fixture(params=["s3", "gs"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3Server | GcsServer]:
    with (s3_server if request.param == "s3" else gcs_server)(tmp_path / "server") as running:
        yield running


@pytest.fixture
def home(server: S3Server | GcsServer, tmp_path: Path, model_cache: Path) -> Home:
    scheme = "s3" if isinstance(server, S3Server) else "gs"
    home = Home(tmp_path, model_cache)
    home.environment |= server.environment | {"INGEST_BUCKET": f"{scheme}://{server.new_bucket()}/up/loads"}
    home("prepare")
    return home


@pytest.fixture
def bucket(home: Home, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "STORAGE_EMULATOR_HOST"):
        if name in home.environment:
            monkeypatch.setenv(name, home.environment[name])
    given = ("INGEST_BUCKET", "INGEST_S3_ENDPOINT")
    return open_bucket(load_settings({name: home.environment[name] for name in given if name in home.environment}))


def test_files_of_an_object_store_are_added_changed_found_and_removed(home: Home, bucket: Bucket) -> None:
    """The stages' results lie on the object store too."""
    home.environment["INGEST_ARTIFACTS"] = home.environment["INGEST_BUCKET"].replace("up/loads", "artifacts")
    assert "succeeded" in home("add", home.file("tides.md", "The tide table hangs beside the boathouse door."), *OWNER)
    bucket.put("ann/p/später, [1].md", Path(home.file("other.md", "The lamp is lit at dusk.")))
    bucket.put("ann/p/tides.md", Path(home.file("new.md", "The tide table lies on the piano.")))
    assert "2 files processed, 0 removed, 0 left" in home("work", "--until-empty")
    (hit, *_) = home.json("search", "where is the tide table?", *OWNER)
    assert "piano" in hit["text"]
    assert "removed, with 1 chunks" in home("remove", "ann/p/später, [1].md")
    assert [item.key for item in bucket.list()] == ["ann/p/tides.md"]
    assert not [path for path in (home.folder / "home").glob("artifacts/[!.]*") if path.is_dir()]


def test_work_that_is_killed_half_way_is_taken_up_by_the_next(home: Home, bucket: Bucket) -> None:
    for number in range(3):
        bucket.put(f"ann/p/{number}.md", Path(home.file("book.md", BOOK + str(number))))
    work = subprocess.Popen(
        [str(INGEST), "work"], env=home.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (home.folder / "home/artifacts/parsed_documents").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(work.pid, signal.SIGKILL)
    work.wait()
    home("work", "--until-empty")
    assert [(record["state"], record["generation"]) for record in home.json("files")] == [("succeeded", 1)] * 3
    assert [path.name for path in (home.folder / "home/spool").iterdir()] == [".lock"]


def test_a_server_that_is_away_removes_nothing_and_says_so(home: Home, server: S3Server | GcsServer) -> None:
    home("add", home.file("a.md", "The lamp is lit at dusk."), *OWNER)
    server.kill()
    said = home("work", code=3)
    assert "cannot be used" in said
    assert "tried again" in said
    (hit,) = home.json("search", "when is the lamp lit?", *OWNER)
    assert hit["filename"] == "a.md"

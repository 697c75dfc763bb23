"""A service that is killed in the middle of uploads keeps all files of each, or none; what was answered is kept."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from ingest_assets.config.settings import Settings
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from ingest_assets.uploads.job_table import JOBS, JobFile
from ingest_assets.uploads.jobs import Jobs
from ingest_assets.uploads.opening import sweep_uploads
from testing.servers import START_S, STOP_S, free_port
from testing.soaking import share

pytestmark = pytest.mark.slow
ROUNDS = share(2, 30)
FILES = 4
CLIENTS = 3


@contextmanager
def service(home: Path, model_cache: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `ingest serve` in a process of its own."""
    port = free_port()
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "INGEST_MODEL_CACHE": str(model_cache),
        "INGEST_RATE_LIMIT": "off",
        "INGESTION_PORT": str(port),
    }
    command = [sys.executable, "-c", "from ingest_assets.cli.main import main; main()", "serve"]
    with (home / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    url, deadline, pause = f"http://127.0.0.1:{port}", time.monotonic() + START_S, threading.Event()
    try:
        while True:
            with suppress(httpx.HTTPError):
                httpx.get(f"{url}/health").raise_for_status()
                break
            assert process.poll() is None and time.monotonic() < deadline, (home / "serve.log").read_text()[-2000:]
            pause.wait(0.05)
        yield process, url
    finally:
        process.kill()
        process.wait(STOP_S)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    opened = Project(Settings.model_validate({"DAGSTER_HOME": tmp_path}))
    opened.mark_bucket()
    yield opened
    opened.close()


def upload(url: str, number: int, answered: set[int]) -> None:
    """Send an upload whose files are named by its number."""
    files = [("files", (f"{number}-{part}.txt", b"%d " % number * 50_000)) for part in range(FILES)]
    with suppress(httpx.HTTPError):
        if httpx.post(f"{url}/upload", data={"user_id": "ann", "project_id": "p"}, files=files).status_code == 202:
            answered.add(number)


def kept(project: Project) -> dict[int, int]:
    """Count the files of each upload that the bucket shows."""
    found: dict[int, int] = {}
    for item in project.bucket.list():
        assert isinstance(item, BucketObject)
        number = int(item.key.rsplit("/", 1)[-1].partition("-")[0])
        assert item.size_bytes == len(b"%d " % number * 50_000), "no file is half"
        found[number] = found.get(number, 0) + 1
    return found


def test_every_upload_is_whole_or_not_there_however_the_service_dies(
    project: Project, tmp_path: Path, model_cache: Path
) -> None:
    draw, answered, numbers = random.Random(8), set[int](), iter(range(10_000_000))
    for _ in range(ROUNDS):
        is_over = threading.Event()
        with service(tmp_path, model_cache) as (process, url):

            def send(url: str = url, is_over: threading.Event = is_over) -> None:
                while not is_over.is_set():
                    upload(url, next(numbers), answered)

            clients = [threading.Thread(target=send) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            threading.Event().wait(draw.uniform(0.3, 1.5))
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_S)
            is_over.set()
            for client in clients:
                client.join()
    assert answered
    with project.database.begin() as connection:  # as if the time had passed for which jobs are left to their process
        connection.execute(JOBS.update().values(due_s=0))
    sweep_uploads(project)
    found = kept(project)
    assert set(found.values()) == {FILES}
    assert answered <= found.keys()
    named = {file.key for job_id in _jobs(project) for file in _files(project, job_id)}
    assert len(named) == FILES * len(found), "each upload that is there has its job"


def _jobs(project: Project) -> list[str]:
    with project.database.begin(writes=False) as connection:
        return list(connection.execute(select(JOBS.c.job_id)).scalars())


def _files(project: Project, job_id: str) -> Iterator[JobFile]:
    job = Jobs(project.database).get(job_id)
    assert job is not None and job.is_kept
    yield from job.files


def test_a_service_that_ends_in_peace_finishes_what_is_arriving(
    project: Project, tmp_path: Path, model_cache: Path
) -> None:
    with service(tmp_path, model_cache) as (process, url):
        began, answers = threading.Event(), list[httpx.Response]()

        def body() -> Iterator[bytes]:
            head = '--XX\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
            yield (head.format("user_id", "") + "ann\r\n" + head.format("project_id", "") + "p\r\n").encode()
            yield head.format("files", '; filename="7-0.txt"').encode()
            for _ in range(10):
                yield b"7 " * 5_000
                began.set()
                threading.Event().wait(0.1)
            yield b"\r\n--XX--\r\n"

        def send() -> None:
            headers = {"content-type": "multipart/form-data; boundary=XX"}
            answers.append(httpx.post(f"{url}/upload", content=body(), headers=headers, timeout=30))

        client = threading.Thread(target=send)
        client.start()
        assert began.wait(START_S)
        process.send_signal(signal.SIGTERM)
        client.join()
        process.wait(STOP_S)
    assert answers[0].status_code == 202
    assert kept(project) == {7: 1}

"""The state of a job follows from what the index knows of the versions that it brought."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_assets.index.attempts import count_attempt
from ingest_assets.index.bucket_looks import BucketLooks
from ingest_assets.ledger_records import State
from ingest_assets.uploads.job_table import Job
from ingest_assets.uploads.jobs import Jobs, JobStatus
from ingest_assets_tests.index.files import record
from ingest_assets_tests.uploads.conftest import Uploads


def status(uploads: Uploads, job: Job) -> JobStatus:
    found = uploads.jobs.get(job.job_id)
    assert found is not None
    return uploads.jobs.status(found)


def end(uploads: Uploads, job: Job, number: int = 0, **values: Any) -> None:
    file = job.files[number]
    uploads.index.record(record(file.filename, version=file.version, sha256=file.sha256, **values))


def test_a_job_goes_from_queued_over_its_stages_to_its_end(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one", "b.txt": b"two"})
    assert (status(uploads, job).state, status(uploads, job).totals.percent) == ("queued", 0)
    file = job.files[0]
    count_attempt(uploads.database, file.file_id, version=file.version, run_id="r1")
    uploads.index.progress(file.file_id, stage="parsed_documents", percent=40)
    found = status(uploads, job)
    assert (found.state, found.totals.percent) == ("processing", 20)
    assert (found.files[0].stage, found.files[0].percent, found.files[0].attempts) == ("parsed_documents", 40, 1)
    end(uploads, job, chunks=7, pages=3)
    found = status(uploads, job)
    assert (found.state, found.is_end, found.totals.done) == ("processing", False, 1)
    assert (found.files[0].pages, found.files[0].chunks, found.files[0].percent) == (3, 7, 100)
    end(uploads, job, 1, state=State.PARTIAL, chunks=1)
    found = status(uploads, job)
    assert (found.state, found.is_end, found.totals.chunks) == ("succeeded", True, 8)


def test_a_job_with_a_file_that_failed_says_why(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one", "b.txt": b"two"})
    end(uploads, job)
    end(uploads, job, 1, state=State.FAILED, error="b.txt: damaged")
    found = status(uploads, job)
    assert (found.state, found.totals.succeeded, found.totals.failed) == ("partial", 1, 1)
    assert found.files[1].error == "b.txt: damaged"


def test_out_of_memory_is_not_the_end(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one"})
    end(uploads, job, state=State.OUT_OF_MEMORY)
    assert not status(uploads, job).is_end


def test_attempts_are_runs_and_begin_again_with_another_version(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one"})
    file = job.files[0]
    for run_id in ("r1", "r1", "r2"):
        count_attempt(uploads.database, file.file_id, version=file.version, run_id=run_id)
    assert status(uploads, job).files[0].attempts == 2
    count_attempt(uploads.database, file.file_id, version="another", run_id="r3")
    assert status(uploads, job).files[0].attempts == 0


def test_a_version_that_another_came_after_is_replaced(uploads: Uploads) -> None:
    before = uploads.upload({"a.txt": b"one"})
    end(uploads, before)
    after = uploads.upload({"a.txt": b"two"}, replace=frozenset({"a.txt"}))
    assert [status(uploads, job).files[0].state for job in (before, after)] == ["replaced", "pending"]
    end(uploads, after)
    assert [status(uploads, job).files[0].state for job in (before, after)] == ["replaced", "succeeded"]


@pytest.mark.parametrize("was_read", [True, False])
def test_a_file_that_left_the_bucket_is_removed(uploads: Uploads, was_read: bool) -> None:
    job = uploads.upload({"a.txt": b"one"})
    if was_read:
        end(uploads, job)
    BucketLooks(uploads.database, settle_s=0).keys({"ann/p/a.txt": None})
    assert status(uploads, job).files[0].state == "removed"
    assert status(uploads, job).is_end


def test_another_service_on_the_same_database_answers_the_same(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one"})
    end(uploads, job)
    other = Jobs(uploads.database)
    found = other.get(job.job_id)
    assert found is not None
    assert other.status(found) == status(uploads, job)
    assert other.get("unknown") is None


def test_old_jobs_are_swept_and_those_of_an_owner_erased(uploads: Uploads) -> None:
    old = uploads.upload({"a.txt": b"one"})
    uploads.now_s += 40 * 86_400
    open_job, new = uploads.begin({"b.txt": b"two"}), uploads.upload({"c.txt": b"three"})
    assert uploads.jobs.sweep(days=30) == 1
    assert uploads.jobs.get(old.job_id) is None
    assert uploads.jobs.staged_names() == {open_job.files[0].staged}
    assert uploads.jobs.erase(user_id="bob") == []
    assert {job.job_id for job in uploads.jobs.erase(user_id="ann", project_id="p")} == {open_job.job_id, new.job_id}
    assert uploads.jobs.get(new.job_id) is None

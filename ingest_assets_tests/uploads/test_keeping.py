"""The files of a job get their keys, all of them, also when the process that began is gone."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from ingest_assets.buckets.contract import NameTaken
from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.file_ids import file_id_of
from ingest_assets.index.bucket_looks import BucketLooks
from ingest_assets.index.file_details import FileDetails
from ingest_assets.ledger_records import State
from ingest_assets.messaging.outbox_tables import DeliveryState
from ingest_assets.messaging.outbox_upkeep import entries
from ingest_assets.uploads.job_table import Job, JobFile
from ingest_assets.uploads.jobs import JobFileState
from ingest_assets_tests.index.files import record
from ingest_assets_tests.uploads.conftest import Uploads

TARGET = "webhook:https://example.org/hear"


def messages(uploads: Uploads) -> list[dict[str, object]]:
    found = entries(uploads.keeping.outbox, DeliveryState.PENDING, limit=100)
    return [msgspec.json.decode(entry.body) for entry in found]


def attempted(uploads: Uploads, job: Job, state: State = State.SUCCEEDED, **values: Any) -> None:
    """Write into the index what a run of the first file of the job leaves in the ledger."""
    file = job.files[0]
    given: dict[str, Any] = {"version": file.version, "sha256": file.sha256, "state": state, **values}
    uploads.index.record(record(file.filename, **given))


def copying(url: str, *, replaces: bool = True) -> JobFile:
    key = "ann/p/copied.txt"
    return JobFile(filename="copied.txt", key=key, file_id=file_id_of(key), source=url, replaces=replaces)


def test_the_files_of_an_upload_are_there_and_pending_at_once(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one", "b.txt": b"two"})
    assert uploads.held() == {"ann/p/a.txt": b"one", "ann/p/b.txt": b"two"}
    assert uploads.staged() == []
    assert sorted(uploads.pending()) == ["ann/p/a.txt", "ann/p/b.txt"], "they need not rest as copied files do"
    assert job.is_kept and uploads.jobs.get(job.job_id) == job
    assert {change.state for change in uploads.told} == {"pending"}


def test_nothing_is_seen_before_the_job_is_written_and_all_is_kept_after_it(uploads: Uploads) -> None:
    job = uploads.begin({"a.txt": b"one", "b.txt": b"two"})
    assert uploads.held() == {}
    uploads.now_s += 300
    assert uploads.keeping.finish_open() == 1
    assert uploads.held() == {"ann/p/a.txt": b"one", "ann/p/b.txt": b"two"}
    assert uploads.status(job).state == "queued"
    assert uploads.keeping.finish_open() == 0


def test_a_job_that_its_process_finishes_is_not_taken_by_another(uploads: Uploads) -> None:
    uploads.begin({"a.txt": b"one"})
    assert uploads.keeping.finish_open() == 0


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_process_killed_between_two_files_is_made_good(uploads: Uploads, kept: int) -> None:
    job = uploads.begin({"a.txt": b"one", "b.txt": b"two"})
    child = os.fork()
    if child == 0:  # dies when so many files have their keys, before it could note it
        with suppress(BaseException):
            for file in job.files[:kept]:
                uploads.bucket.staged(file.staged).publish(file.key)
        os._exit(9)
    os.waitpid(child, 0)
    uploads.database.close()
    uploads.now_s += 300
    uploads.keeping.finish_open()
    assert uploads.held() == {"ann/p/a.txt": b"one", "ann/p/b.txt": b"two"}
    found = uploads.jobs.get(job.job_id)
    assert found is not None and found.is_kept
    assert [file.error for file in found.files] == ["", ""]


def test_two_processes_that_finish_one_job_do_no_harm(uploads: Uploads) -> None:
    job = uploads.begin({"a.txt": b"one"})
    assert uploads.keeping.finish(job) == uploads.keeping.finish(job)
    assert uploads.held() == {"ann/p/a.txt": b"one"}


def test_a_name_that_is_taken_is_refused_by_name_and_nothing_is_changed(uploads: Uploads) -> None:
    uploads.upload({"a.txt": b"one", "b.txt": b"two", "c.txt": b"three"})
    with pytest.raises(NameTaken, match=r"^a.txt, c.txt: .*replace_filenames.*rename_map"):
        uploads.begin({"a.txt": b"ONE!", "b.txt": b"two", "c.txt": b"THREE", "d.txt": b"new"})
    assert uploads.held() == {"ann/p/a.txt": b"one", "ann/p/b.txt": b"two", "ann/p/c.txt": b"three"}


def test_what_may_be_replaced_is_and_what_is_renamed_lies_beside_it(uploads: Uploads) -> None:
    uploads.upload({"a.txt": b"one", "b.txt": b"two"})
    job = uploads.upload(
        {"a.txt": b"ONE!", "b.txt": b"TWO!"}, replace=frozenset({"a.txt"}), renames={"b.txt": "b (2).txt"}
    )
    assert uploads.held() == {"ann/p/a.txt": b"ONE!", "ann/p/b.txt": b"two", "ann/p/b (2).txt": b"TWO!"}
    assert [(file.filename, file.sent_as) for file in job.files] == [("a.txt", ""), ("b (2).txt", "b.txt")]


def test_a_folder_of_the_form_is_part_of_the_key(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one"}, folder="reports/2026")
    assert list(uploads.held()) == ["ann/p/reports/2026/a.txt"]
    assert (job.files[0].filename, job.files[0].sent_as) == ("reports/2026/a.txt", "a.txt")


def test_the_same_bytes_again_cost_nothing(uploads: Uploads) -> None:
    before = uploads.upload({"a.txt": b"one"})
    waiting = uploads.upload({"a.txt": b"one"})
    attempted(uploads, before)
    done = uploads.upload({"a.txt": b"one"}, replace=frozenset({"a.txt"}))
    for job in (waiting, done):
        assert job.files[0].is_unchanged
        assert job.files[0].version == before.files[0].version
    assert uploads.jobs.status(done).state == "succeeded"


def test_the_same_bytes_are_taken_again_when_the_last_attempt_failed(uploads: Uploads) -> None:
    before = uploads.upload({"a.txt": b"one"})
    attempted(uploads, before, State.FAILED, error="damaged")
    again = uploads.upload({"a.txt": b"one"}, replace=frozenset({"a.txt"}))
    assert not again.files[0].is_unchanged
    assert uploads.pending() == ["ann/p/a.txt"]


def test_a_name_that_is_taken_in_the_last_moment_is_refused_in_the_job(uploads: Uploads) -> None:
    job = uploads.begin({"a.txt": b"one", "b.txt": b"two"}, callback=TARGET)
    uploads.upload({"b.txt": b"faster"})
    finished = uploads.keeping.finish(job)
    assert uploads.held() == {"ann/p/a.txt": b"one", "ann/p/b.txt": b"faster"}
    status = uploads.jobs.status(finished)
    assert [file.state for file in status.files] == [JobFileState.PENDING, JobFileState.REFUSED]
    assert "there is a file of this name already" in status.files[1].error
    assert uploads.staged() == []
    assert [(said["filename"], said["state"]) for said in messages(uploads)] == [("b.txt", "failed")]


def test_a_callback_hears_of_a_file_that_nothing_changes(uploads: Uploads) -> None:
    attempted(uploads, uploads.upload({"a.txt": b"one"}))
    uploads.upload({"a.txt": b"one"}, callback=TARGET)
    assert [(said["filename"], said["state"]) for said in messages(uploads)] == [("a.txt", "succeeded")]


def test_a_file_is_copied_from_where_the_job_says(uploads: Uploads) -> None:
    uploads.sources["s3://other/a.txt"] = b"from afar"
    job = uploads.keeping.begin([copying("s3://other/a.txt")], user_id="ann", project_id="p", callback=TARGET)
    assert uploads.jobs.status(job).state == "receiving"
    assert uploads.keeping.finish(job).is_kept
    assert uploads.held() == {"ann/p/copied.txt": b"from afar"}
    again = uploads.keeping.begin([copying("s3://other/a.txt")], user_id="ann", project_id="p")
    assert uploads.keeping.finish(again).files[0].is_unchanged


def test_a_copy_replaces_what_is_there_where_it_may(uploads: Uploads) -> None:
    uploads.upload({"copied.txt": b"older"})
    uploads.sources["s3://other/a.txt"] = b"newer"
    for may, expected in ((False, b"older"), (True, b"newer")):
        file = copying("s3://other/a.txt", replaces=may)
        job = uploads.keeping.finish(uploads.keeping.begin([file], user_id="ann", project_id="p"))
        assert uploads.held() == {"ann/p/copied.txt": expected}
        assert bool(job.files[0].error) is not may


def test_an_object_that_is_not_there_ends_the_job_and_tells_the_callback(uploads: Uploads) -> None:
    uploads.sources["s3://other/a.txt"] = BadInput("s3://other/a.txt: there is no such object")
    job = uploads.keeping.begin([copying("s3://other/a.txt")], user_id="ann", project_id="p", callback=TARGET)
    status = uploads.jobs.status(uploads.keeping.finish(job))
    assert (status.state, status.files[0].error) == ("failed", "s3://other/a.txt: there is no such object")
    assert [(said["filename"], said["status"]) for said in messages(uploads)] == [("copied.txt", "failed")]


def test_a_place_that_is_away_is_asked_again_after_growing_pauses_for_a_day(uploads: Uploads) -> None:
    uploads.sources["s3://other/a.txt"] = OutsideError("the place is away.")
    job = uploads.keeping.begin([copying("s3://other/a.txt")], user_id="ann", project_id="p")
    uploads.keeping.finish(job)
    assert uploads.keeping.finish_open() == 0, "it rests first"
    uploads.now_s += 3
    assert uploads.keeping.finish_open() == 1
    uploads.sources["s3://other/a.txt"] = b"back"
    uploads.now_s += 3
    assert uploads.keeping.finish_open() == 0, "the pause has grown"
    uploads.now_s += 10
    assert uploads.keeping.finish_open() == 1
    assert uploads.held() == {"ann/p/copied.txt": b"back"}


def test_a_place_that_is_away_for_a_day_is_given_up(uploads: Uploads) -> None:
    uploads.sources["s3://other/a.txt"] = OutsideError("the place is away.")
    job = uploads.keeping.begin([copying("s3://other/a.txt")], user_id="ann", project_id="p")
    uploads.now_s += 86_401
    assert uploads.keeping.finish_open() == 1
    status = uploads.status(job)
    assert (status.state, status.files[0].error) == ("failed", "the place is away. It was tried for a day")


def said_of(uploads: Uploads, name: str) -> str:
    return FileDetails(uploads.database).of(file_id_of(f"ann/p/{name}"))


def test_what_an_upload_says_stays_until_an_upload_says_something_else(uploads: Uploads) -> None:
    attempted(uploads, uploads.upload({"a.txt": b"one"}, metadata={"year": 2026}))
    assert said_of(uploads, "a.txt") == '{"year": 2026}' and uploads.read_again == []
    attempted(uploads, uploads.upload({"a.txt": b"two"}, replace=frozenset({"a.txt"})))
    assert said_of(uploads, "a.txt") == '{"year": 2026}', "an upload that says nothing changes nothing"
    attempted(uploads, uploads.upload({"a.txt": b"three"}, replace=frozenset({"a.txt"}), metadata={}))
    assert said_of(uploads, "a.txt") == "" and uploads.read_again == [], "new bytes are read anyway"


def test_equal_bytes_with_other_metadata_are_read_again(uploads: Uploads) -> None:
    attempted(uploads, uploads.upload({"a.txt": b"one"}, metadata={"year": 2025}))
    same = uploads.upload({"a.txt": b"one"}, metadata={"year": 2025})
    assert same.files[0].is_unchanged and uploads.read_again == []
    other = uploads.upload({"a.txt": b"one"}, metadata={"year": 2026})
    assert not other.files[0].is_unchanged and other.is_kept
    assert uploads.read_again == [(other.files[0].file_id, '{"year": 2026}')]
    assert uploads.held() == {"ann/p/a.txt": b"one"}


def test_metadata_of_a_file_that_waits_for_its_run_asks_for_no_other(uploads: Uploads) -> None:
    uploads.upload({"a.txt": b"one"})
    uploads.upload({"a.txt": b"one"}, metadata={"year": 2026})
    assert said_of(uploads, "a.txt") == '{"year": 2026}' and uploads.read_again == []


def test_metadata_is_not_lost_where_the_store_is_away_or_the_process_killed(uploads: Uploads) -> None:
    attempted(uploads, uploads.upload({"a.txt": b"one"}))
    uploads.read_again.append(OutsideError("the store is away"))
    job = uploads.upload({"a.txt": b"one"}, metadata={"year": 2026})
    assert not job.is_kept and uploads.read_again == []
    uploads.now_s += 300
    assert uploads.keeping.finish_open() == 1
    assert uploads.read_again == [(job.files[0].file_id, '{"year": 2026}')]
    found = uploads.jobs.get(job.job_id)
    assert found is not None and found.is_kept and found.metadata == {"year": 2026}


def test_a_run_that_was_faster_than_the_metadata_is_repeated(uploads: Uploads) -> None:
    job = uploads.begin({"a.txt": b"one"}, metadata={"year": 2026})
    published = uploads.bucket.staged(job.files[0].staged).publish(job.files[0].key)  # and the process is killed
    uploads.index.record(record("a.txt", version=published.version, sha256=job.files[0].sha256))
    uploads.now_s += 300
    uploads.keeping.finish_open()
    assert uploads.read_again == [(job.files[0].file_id, '{"year": 2026}')]


def test_metadata_of_bytes_that_changed_meanwhile_is_refused(uploads: Uploads) -> None:
    attempted(uploads, uploads.upload({"a.txt": b"one"}))
    job = uploads.begin({"a.txt": b"one"}, metadata={"year": 2026})
    uploads.upload({"a.txt": b"two"}, replace=frozenset({"a.txt"}))
    assert "changed" in uploads.keeping.finish(job).files[0].error
    assert said_of(uploads, "a.txt") == ""


def test_a_copy_of_bytes_that_are_there_brings_its_metadata(uploads: Uploads) -> None:
    attempted(uploads, uploads.upload({"copied.txt": b"one"}))
    uploads.sources["s3://other/x"] = b"one"
    file = copying("s3://other/x")
    job = uploads.keeping.begin([file], user_id="ann", project_id="p", metadata={"year": 2026})
    assert not uploads.keeping.finish(job).files[0].is_unchanged
    assert uploads.read_again == [(file.file_id, '{"year": 2026}')]


def test_metadata_goes_with_the_file_and_comes_back_with_the_ledger(uploads: Uploads) -> None:
    job = uploads.upload({"a.txt": b"one"}, metadata={"year": 2026})
    attempted(uploads, job, metadata='{"year": 2026}')
    details, file_id = FileDetails(uploads.database), job.files[0].file_id
    details.erase(user_id="ann")
    known = record("a.txt", version=job.files[0].version, metadata='{"year": 2026}')
    uploads.index.rebuild([known], ledger="l", again=lambda _: known)
    uploads.index.record(known)
    assert details.of(file_id) == '{"year": 2026}', "a lost table is filled from the records"
    BucketLooks(uploads.database, settle_s=0).keys({job.files[0].key: None})
    uploads.index.forget(file_id)
    assert details.of(file_id) == ""

"""Live through what files go through under a real daemon, on each kind of bucket: at the end everything agrees.

The second test changes files at random while the daemon and its runs are killed at random. In the gate it takes a
minute and a few files; `make soak` takes ten minutes and 2,000.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

import dagster as dg
import pytest

from ingest_assets.config.settings import Settings
from ingest_assets.file_ids import file_id_of
from ingest_assets.ledger_records import FileRecord, Origin
from ingest_assets.project import Project
from ingest_assets.records import BucketObject
from ingest_assets.stores.contract import all_records
from memory_capped_launcher.register import Register
from testing.object_storage import GcsServer, gcs_server, s3_server
from testing.polling import until
from testing.watched_bucket import WatchedBucket

pytestmark = [pytest.mark.slow, pytest.mark.soak]
SOAK = bool(os.environ.get("TEST_SOAK"))
FILES, SECONDS = (2_000, 600.0) if SOAK else (8, 40.0)


class Life(WatchedBucket):
    """A bucket on S3, and what people do with its files."""

    def write(self, key: str, text: str) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.prefix}{key}", Body=text.encode())

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=f"{self.prefix}{key}")

    def records(self) -> dict[str, FileRecord]:
        """Return the ledger's files of the bucket, by key."""
        found = all_records(self.project.store)
        return {record.key: record for record in found if record.origin is Origin.BUCKET}

    def listed(self) -> dict[str, str]:
        """Return the versions of what the bucket holds, by key."""
        return {item.key: item.version for item in self.project.bucket.list() if isinstance(item, BucketObject)}

    def settled(self, *, within_s: float = 240) -> dict[str, FileRecord]:
        """Wait until the ledger has every object of the bucket in its version, and nothing else; return it."""

        def agrees() -> bool:
            listed = self.listed()
            rows = {key: self.project.index.row(file_id_of(key)) for key in listed}
            if any(row is None or row.version != listed[key] for key, row in rows.items()):
                return False  # the store is asked last, because to ask it takes time from the runs
            return {key: record.version for key, record in self.records().items()} == listed

        until(agrees, what="ledger and bucket agree", timeout_s=within_s)
        return self.records()

    def costs_are_known(self) -> bool:
        return all(record.stages[-1].stage == "embeddings" for record in self.records().values())

    def agree_exactly(self) -> None:
        """Compare bucket, ledger, index, partitions and store."""
        ids = {record.file_id for record in self.settled().values()}
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            until(
                lambda: set(instance.get_dynamic_partitions("files")) == ids,
                what="the partitions are those of the files",
                timeout_s=120,
            )
        assert self.project.index.file_ids().in_ledger == ids
        assert self.project.pending.next(limit=10) == []
        assert "all agrees" in self.ingest("validate")


class LifeInAFolder(Life):
    """The same in a folder."""

    def __post_init__(self) -> None:
        self.folder = self.home / "bucket"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "INGEST_MODEL_CACHE": str(self.model_cache),
            "INGEST_SETTLE_S": "1",
            **self.settings,
        }

    @cached_property
    def project(self) -> Project:
        return Project(Settings.model_validate(self.environment), prepares=False)

    def write(self, key: str, text: str) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}.part").write_text(text)
        path.with_name(f".{path.name}.part").replace(path)

    def delete(self, key: str) -> None:
        (self.folder / key).unlink()


class LifeOnGcs(Life):
    """The same on Google Cloud Storage, which is listed: its events need a service of their own."""

    server: GcsServer  # type: ignore[assignment]  # another kind of server in place of S3

    def __post_init__(self) -> None:
        self.bucket = self.server.new_bucket()
        self.objects = self.server.client().bucket(self.bucket)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.server.environment,
            "DAGSTER_HOME": str(self.home),
            "INGEST_MODEL_CACHE": str(self.model_cache),
            "INGEST_BUCKET": f"gs://{self.bucket}/{self.prefix}",
            **self.settings,
        }

    def write(self, key: str, text: str) -> None:
        self.objects.blob(f"{self.prefix}{key}").upload_from_string(text)

    def delete(self, key: str) -> None:
        self.objects.blob(f"{self.prefix}{key}").delete()


@pytest.fixture(params=["folder", "s3", "gcs"])
def life(request: pytest.FixtureRequest, tmp_path: Path, model_cache: Path) -> Iterator[Life]:
    home = tmp_path / "home"
    home.mkdir()
    settings = {"INGEST_DELETE_GRACE_S": "1", "INGEST_DELETE_MAX_SHARE": "1", "INGEST_RETRY_AFTER_S": "5"}
    with ExitStack() as stack:
        if request.param == "folder":
            life: Life = LifeInAFolder(None, home, model_cache, settings=settings)  # type: ignore[arg-type]  # it has no server
        elif request.param == "gcs":
            server = stack.enter_context(gcs_server(tmp_path))
            life = LifeOnGcs(server, home, model_cache, settings=settings)  # type: ignore[arg-type]  # another kind of server in place of S3
        else:
            life = Life(stack.enter_context(s3_server(tmp_path)), home, model_cache, settings=settings)
        life.ingest("prepare")
        yield life
        life.project.store.close()


def test_files_are_new_changed_renamed_removed_and_put_back(life: Life) -> None:
    with life.daemon():
        life.write("ann/p/a.txt", "The gauge reads two metres.")
        life.write("ann/q/a.txt", "The gauge reads two metres.")  # equal bytes in two projects
        life.write("ann/p/b.txt", "The boat leaves at nine.")
        life.write("ann/p/B.txt", "The bell is rung at noon.")  # another name
        life.write("ann/p/ü.txt", "The crane is yellow.")
        life.write("ann/p/50 %, a|b.txt", "Half of the oil is gone.")
        life.settled()
        until(life.costs_are_known, what="what the runs cost is noted, which comes after the publication")
        first = life.records()
        assert {record.state.value for record in first.values()} == {"succeeded"}

        life.write("ann/p/a.txt", "The gauge reads three metres.")  # changed
        life.delete("ann/p/b.txt")  # renamed
        life.write("ann/p/c.txt", "The boat leaves at nine.")
        life.delete("ann/p/B.txt")  # removed, and put back with the same bytes
        life.write("ann/p/B.txt", "The bell is rung at noon.")
        second = life.settled()
        assert [second[key].embedded for key in ("ann/p/a.txt", "ann/p/c.txt", "ann/p/B.txt")] == [1, 0, 1]
        assert second["ann/p/B.txt"].generation == first["ann/p/B.txt"].generation
        assert second["ann/q/a.txt"] == first["ann/q/a.txt"]

        life.delete("ann/q/a.txt")
        life.delete("ann/p/ü.txt")  # the same name in the other form of Unicode
        life.write(normalize("NFD", "ann/p/ü.txt"), "The crane is yellow.")
        life.settled()
        life.agree_exactly()


@pytest.mark.parametrize("life", ["folder", "s3"] if SOAK else ["folder"], indirect=True)
def test_everything_agrees_after_random_changes_and_kills(life: Life, request: pytest.FixtureRequest) -> None:
    chance = random.Random(request.config.getoption("--hypothesis-seed", default=None) or 0)
    keys = [f"user{number % 7}/p/{number:04}.txt" for number in range(FILES)]
    versions, until_s = dict.fromkeys(keys, 0), time.monotonic() + SECONDS
    there: set[str] = set()
    while time.monotonic() < until_s:
        with life.daemon() as daemon:
            for _ in range(chance.randint(5, 40)):
                key = chance.choice(keys)
                if key in there and chance.random() < 0.3:
                    life.delete(key)
                    there.discard(key)
                else:
                    versions[key] += 1
                    life.write(key, f"Note {key}, version {versions[key]}.")
                    there.add(key)
                time.sleep(chance.random() * 0.2)
            time.sleep(chance.random() * 10)
            if chance.random() < 0.5:
                kill_a_run(life)
            if chance.random() < 0.5:
                os.killpg(daemon.pid, signal.SIGKILL)
    with life.daemon():
        ended = life.settled(within_s=1200 if SOAK else 400)
        assert set(ended) == there
        assert all(record.generation <= versions[key] for key, record in ended.items())
        life.agree_exactly()


def kill_a_run(life: Life) -> None:
    """Kill the process that supervises a run, with the run."""
    register = Register(life.home / "launcher")
    for run_id in register.run_ids():
        if (entry := register.read(run_id)) and entry.pid:  # 0 while it waits: a signal to 0 would end the tests
            try:
                os.kill(entry.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return

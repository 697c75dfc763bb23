"""Test that what lies on servers, copied while files arrive as docs/deploying.md says, is whole elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest_assets_tests.cli.command_line import INGEST, OWNER, Home
from testing.mongo import Mongod, replica_set, wait_for_primary
from testing.object_storage import S3Server, s3_server
from testing.postgres import BIN, postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
OTHERS = ("lamp.md",)


@contextmanager
def arriving(home: Home) -> Iterator[None]:
    """Have files arrive while the block runs, and until they are ingested."""
    files = [home.file(name, f"# {name}\n\nThe boat leaves at {name}.\n") for name in OTHERS]
    command = [str(INGEST), "add", *files, *OWNER]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=home.environment, stdout=quiet, stderr=quiet) as process:
        yield
        assert process.wait() == 0


def begin(home: Home) -> None:
    home("add", home.file("tides.md", "# Tides\n\nThe tide table hangs beside the boathouse door.\n"), *OWNER)
    home("keys", "add", "ann", "--note", "kept")


def is_whole(home: Home, kept: set[str]) -> None:
    """Start from what was restored: exactly the files of the bucket are found, and nothing disagrees."""
    home.environment["INGEST_DELETE_GRACE_S"] = "1"
    home("prepare")
    home("work", "--until-empty")
    home("validate")
    assert {row["filename"] for row in home.json("files", *OWNER)} == kept >= {"tides.md"}
    assert "boathouse" in home("search", "Where is the tide table?", *OWNER, "-k", "1")


def test_postgresql_is_restored_from_dumps_of_store_and_instance(tmp_path: Path, model_cache: Path) -> None:
    with postgres() as server:
        home = Home(tmp_path / "here", model_cache)
        databases = {"INGEST_PGVECTOR": server.new_database(), "INGEST_INSTANCE_DB": server.new_database()}
        home.environment |= {"INGEST_STORE": "pgvector", **databases}
        begin(home)
        with arriving(home):
            for name, url in databases.items():
                run(BIN / "pg_dump", "--format=custom", f"--file={tmp_path / name}", url)
            told = home.json("backup", str(tmp_path / "backup"))["left_out"]
        assert [what.partition(",")[0] for what in told] == ["the store", "the database of INGEST_INSTANCE_DB"]

        elsewhere = Home(tmp_path / "nowhere", model_cache)
        elsewhere.environment |= {"DAGSTER_HOME": str(tmp_path / "backup"), "INGEST_STORE": "pgvector"}
        for name in databases:
            elsewhere.environment[name] = empty_database(server.url(), name.lower())
            run(BIN / "pg_restore", "--exit-on-error", f"--dbname={elsewhere.environment[name]}", tmp_path / name)
        is_whole(elsewhere, {path.name for path in (tmp_path / "backup/bucket/ann/p").iterdir()})
        assert [key["note"] for key in elsewhere.json("keys", "list")] == ["kept"]


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120)


def empty_database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    return server.removesuffix("postgres") + name


def test_mongodb_and_s3_are_restored_from_copies(tmp_path: Path, model_cache: Path) -> None:
    (tmp_path / "mongo").mkdir()
    with s3_server(tmp_path / "s3") as objects, replica_set(tmp_path / "mongo") as mongod:
        home = Home(tmp_path / "here", model_cache)
        on_s3 = {"INGEST_BUCKET": objects.new_bucket(), "INGEST_ARTIFACTS": objects.new_bucket()}
        home.environment |= objects.environment | {"INGEST_STORE": "atlas", "MONGO_URI": mongod.uri}
        home.environment |= {name: f"s3://{bucket}/here" for name, bucket in on_s3.items()}
        begin(home)
        with arriving(home):
            copy_of_data(mongod, to=tmp_path / "copy")
            told = home.json("backup", str(tmp_path / "backup"))["left_out"]
            saved = {name: copy_of_bucket(objects, bucket) for name, bucket in on_s3.items()}
        assert [what.partition(",")[0] for what in told] == ["the store", "the bucket"]

        mongod.stop()  # the copy names the address of its server, so it is started there
        shutil.rmtree(mongod.folder / "data")
        (tmp_path / "copy").rename(mongod.folder / "data")
        mongod.start()
        wait_for_primary(mongod)
        elsewhere = Home(tmp_path / "nowhere", model_cache)
        elsewhere.environment |= objects.environment | {"INGEST_STORE": "atlas", "MONGO_URI": mongod.uri}
        elsewhere.environment |= {name: f"s3://{bucket}/here" for name, bucket in saved.items()}
        elsewhere.environment["DAGSTER_HOME"] = str(tmp_path / "backup")
        is_whole(elsewhere, files_in(objects, saved["INGEST_BUCKET"]))


def copy_of_data(mongod: Mongod, *, to: Path) -> None:
    """Copy a server's folder while it writes nothing; writers wait."""
    mongod.admin("fsync", lock=True)
    try:
        # The server goes on writing what it notes of itself, under names that come and go.
        shutil.copytree(mongod.folder / "data", to, ignore=shutil.ignore_patterns("mongod.lock", "diagnostic.data"))
    finally:
        mongod.admin("fsyncUnlock")


def copy_of_bucket(objects: S3Server, bucket: str) -> str:
    """Copy all objects into a new bucket; return its name."""
    client, copy = objects.client(), objects.new_bucket()
    for key in keys_in(client, bucket):
        with suppress(client.exceptions.NoSuchKey):  # it went while others were copied
            client.copy_object(Bucket=copy, Key=key, CopySource={"Bucket": bucket, "Key": key})
    return copy


def keys_in(client: Any, bucket: str) -> list[str]:
    return [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def files_in(objects: S3Server, bucket: str) -> set[str]:
    names = {key.rpartition("/")[2] for key in keys_in(objects.client(), bucket)}
    return {name for name in names if not name.startswith(".")}

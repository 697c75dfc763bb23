"""Open the home and the stores that each earlier release left behind: all is found, nothing is embedded again.

`testing/release_fixture.py` makes the archives, one for each release.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bson.json_util import loads
from pymongo import IndexModel, MongoClient

from ingest_assets_tests.cli.command_line import Home
from testing.mongo import standalone
from testing.postgres import BIN, postgres
from testing.release_fixture import DATABASE, FILES

RELEASES = sorted((Path(__file__).resolve().parents[1] / "releases").glob("*.tar.xz"))
OWNER = ("--user", "ann", "--project", "island")

pytestmark = pytest.mark.slow


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def home(request: pytest.FixtureRequest, tmp_path: Path, model_cache: Path) -> Home:
    """A home as the release left it, in which nothing was started yet."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return Home(tmp_path, model_cache)


@pytest.fixture(params=["chroma", "pgvector", "atlas"])
def store(request: pytest.FixtureRequest, home: Home) -> Iterator[dict[str, str]]:
    """The settings that name the release's store of each kind."""
    if request.param == "pgvector":
        with postgres() as server:
            url = server.new_database()
            command = [BIN / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", home.folder / "pgvector.sql", url]
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
            yield {"INGEST_STORE": "pgvector", "INGEST_PGVECTOR": url}
    elif request.param == "atlas":
        (home.folder / "mongod").mkdir()
        with standalone(home.folder / "mongod") as server:
            fill(server.uri, loads((home.folder / "atlas.json").read_text()))
            yield {"INGEST_STORE": "atlas", "MONGO_URI": server.uri, "MONGO_DB": DATABASE}
    else:
        yield {}


def fill(uri: str, collections: dict[str, Any]) -> None:
    """Put documents and indexes back into an empty database."""
    with MongoClient[dict[str, Any]](uri) as client:
        for name, content in collections.items():
            client[DATABASE].create_collection(name)
            if content["documents"]:
                client[DATABASE][name].insert_many(content["documents"])
            options = [{key: value for key, value in index.items() if key != "v"} for index in content["indexes"]]
            for index in options:
                if index["name"] != "_id_":
                    client[DATABASE][name].create_indexes([IndexModel(list(index.pop("key").items()), **index)])


def test_a_home_and_a_store_of_an_earlier_release_are_used_as_they_are(home: Home, store: dict[str, str]) -> None:
    home.environment |= store | {"PATH": os.environ["PATH"]}
    home("prepare")
    launcher = yaml.safe_load((home.folder / "home/dagster.yaml").read_text())["run_launcher"]
    assert launcher["module"] == "memory_capped_launcher.run_launcher"

    assert "keys.md" in home("search", "Who has the spare key?", *OWNER)
    home("validate")

    added = home.json("add", *(str(home.folder / name) for name in FILES), *OWNER)
    assert [row["embedded"] for row in added] == [0] * len(FILES), added
    home("validate")

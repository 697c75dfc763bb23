"""Provide every store that the contract is tested on, each on its real server. Another store joins with a fixture."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
from pymongo import MongoClient

from ingest_assets.stores.atlas.store import AtlasStore
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets.stores.contract import VectorStore
from ingest_assets.stores.pgvector.store import PgVectorStore
from ingest_assets_tests.stores.builders import DIMENSION
from testing import mongo
from testing.postgres import Postgres, postgres
from testing.servers import free_port, running


class Opener(Protocol):
    """Opens one more store on the same place, on the space that is named; the place is empty at first."""

    def __call__(self, space: str = "", *, dimension: int = DIMENSION) -> VectorStore: ...


BACKENDS = [
    "chroma_embedded",
    pytest.param("chroma_server", marks=pytest.mark.slow),
    pytest.param("pgvector", marks=pytest.mark.slow),
    pytest.param("atlas_transactions", marks=pytest.mark.slow),
    pytest.param("atlas_standalone", marks=pytest.mark.slow),
    pytest.param("atlas_vector_search", marks=pytest.mark.slow),
]

_databases = count()


@pytest.fixture(params=BACKENDS)
def open_store(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Every store in turn."""
    opener: Opener = request.getfixturevalue(request.param)
    opened: list[VectorStore] = []

    def open_one(space: str = "", *, dimension: int = DIMENSION) -> VectorStore:
        opened.append(opener(space, dimension=dimension))
        opened[-1].prepare()
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Opener) -> VectorStore:
    return open_store()


@pytest.fixture
def chroma_embedded(tmp_path: Path) -> Opener:
    return lambda space="", *, dimension=DIMENSION: ChromaStore(str(tmp_path / "store"), space=space)


@pytest.fixture
def chroma_server(chroma_url: str) -> Opener:
    database = new_database(chroma_url)
    return lambda space="", *, dimension=DIMENSION: ChromaStore(chroma_url, database=database, space=space)


def new_database(chroma_url: str) -> str:
    """Make an empty database on a Chroma server; return its name."""
    name = f"test{next(_databases)}"
    url = f"{chroma_url}/api/v2/tenants/default_tenant/databases"
    body = json.dumps({"name": name}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        return name


@pytest.fixture(scope="session")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server of this test run."""
    folder, port = tmp_path_factory.mktemp("chroma"), free_port()
    chroma = str(Path(sys.executable).with_name("chroma"))
    command = [chroma, "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder / "data")]
    url = f"http://127.0.0.1:{port}"
    with running(command, answers=f"{url}/api/v2/heartbeat", log=folder / "log"):
        yield url


@pytest.fixture
def pgvector(postgres_server: Postgres) -> Opener:
    url = postgres_server.new_database()
    return lambda space="", *, dimension=DIMENSION: PgVectorStore(url, dimension=dimension, space=space)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server of this test run."""
    with postgres() as server:
        yield server


@contextmanager
def _atlas(uri: str, *, vector_search: bool = False) -> Iterator[Opener]:
    """Give a database of its own, and drop it: the proxy watches each index for as long as it is there."""
    database = f"test{next(_databases)}"

    def open_one(space: str = "", *, dimension: int = DIMENSION) -> VectorStore:
        return AtlasStore(uri, database=database, dimension=dimension, vector_search=vector_search, space=space)

    yield open_one
    with MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(database)


@pytest.fixture
def atlas_transactions(mongo_replica_set: mongo.Mongod) -> Iterator[Opener]:
    with _atlas(mongo_replica_set.uri) as opener:
        yield opener


@pytest.fixture
def atlas_standalone(mongo_standalone: mongo.Mongod) -> Iterator[Opener]:
    with _atlas(mongo_standalone.uri) as opener:
        yield opener


@pytest.fixture
def atlas_vector_search(atlas_search_uri: str) -> Iterator[Opener]:
    with _atlas(atlas_search_uri, vector_search=True) as opener:
        yield opener


@pytest.fixture(scope="session")
def mongo_replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongo.Mongod]:
    """A MongoDB of this test run, with transactions."""
    with mongo.replica_set(tmp_path_factory.mktemp("replica_set")) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongo.Mongod]:
    """A MongoDB of this test run, without transactions."""
    with mongo.standalone(tmp_path_factory.mktemp("standalone")) as server:
        yield server


@pytest.fixture(scope="session")
def atlas_search_uri(mongo_replica_set: mongo.Mongod) -> Iterator[str]:
    """The same with Vector Search in front of it."""
    with mongo.with_search(mongo_replica_set) as uri:
        yield uri


@pytest.fixture
def opened(mongo_replica_set: mongo.Mongod) -> Iterator[Callable[..., AtlasStore]]:
    """Opens stores on one empty database; closed at the end."""
    database, stores = f"own{next(_databases)}", []

    def open_store(uri: str = mongo_replica_set.uri, **options: Any) -> AtlasStore:
        given: dict[str, Any] = {"database": database, "dimension": DIMENSION} | options
        stores.append(AtlasStore(uri, **given))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    """An empty database with the extension."""
    return postgres_server.new_database()

"""Each replaced system moves in from its real server or folder, with the real model, by the command line.

The rows are written by the libraries that those systems use (pymongo, psycopg, chromadb). Their vectors are those of
all-MiniLM-L6-v2, so those of short texts are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import psycopg
import pytest
from pymongo import MongoClient

from ingest_assets.adoption.mongodb import ASIDE
from ingest_assets.clients.embedding.openvino_embedder import OpenVINOEmbedder
from ingest_assets_tests.cli.command_line import OWNER, Home
from testing import mongo
from testing.postgres import Postgres, postgres

pytestmark = pytest.mark.slow

TEXTS = ["The tide turns at noon.", "The lamp burns oil.", "A fog horn sounds twice a minute."]


@pytest.fixture(scope="module")
def vectors(model_cache: Path) -> list[list[float]]:
    return [[float(x) for x in vector] for vector in OpenVINOEmbedder(cache_dir=model_cache).embed(TEXTS)]


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mongo.Mongod]:
    with mongo.replica_set(tmp_path_factory.mktemp("mongod")) as server:
        yield server


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def ingest(tmp_path: Path, model_cache: Path) -> Home:
    return Home(tmp_path, model_cache)


def fill(database: Any, vectors: list[list[float]]) -> None:
    """Write rows as the upload service keeps them."""
    rows = [
        {
            **{"user_id": "ann", "project_id": "p", "filename": "tides.pdf", "content": text, "embedding": vector},
            **{"page_span": [number, number], "topic_name": "At sea", "chunk_index": number - 1},
        }
        for number, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True), 1)
    ]
    database.chunks.insert_many(rows)
    database.files.insert_one({"user_id": "ann", "project_id": "p", "filename": "tides.pdf", "summary": "On tides."})
    database.files.insert_one({"user_id": "ann", "project_id": "p", "filename": "lost.pdf", "summary": "?"})


def test_the_upload_services_database_becomes_the_stores(
    ingest: Home, mongod: mongo.Mongod, vectors: list[list[float]]
) -> None:
    atlas = {"INGEST_STORE": "atlas", "MONGO_URI": mongod.uri, "MONGO_DB": "studybuddy"}
    with MongoClient[dict[str, Any]](mongod.uri) as client:
        database = client["studybuddy"]
        fill(database, vectors)
        names = set(database.list_collection_names())
        assert "not made by ingest_assets" in ingest("prepare", code=2, settings=atlas)
        plan = json.loads(ingest.run("adopt", "--from", "mongodb", "--json", code=1, settings=atlas).stdout)
        assert plan["counts"] == {"adopt": 1, "refuse": 1, "chunks": 3, "kept": 3, "to_embed": 0, "refused_rows": 0}
        assert "text: content (3 rows)" in plan["fields"]
        assert set(database.list_collection_names()) == names
        done = json.loads(ingest.run("adopt", "--from", "mongodb", "--apply", "--json", code=1, settings=atlas).stdout)
        assert (done["applied"], done["counts"]["kept"]) == (True, 3)
        assert database[f"chunks{ASIDE}"].count_documents({}) == 3
        (hit,) = json.loads(ingest("search", "tide", *OWNER, "-k", "1", "--json", settings=atlas))
        assert (hit["filename"], hit["text"], hit["pages"]) == ("tides.pdf", TEXTS[0], [1])
        assert "all agrees" in ingest("validate", settings=atlas)
        before = list(database.chunks.find({}, {"created": 1}))
        again = json.loads(ingest.run("adopt", "--from", "mongodb", "--apply", "--json", code=1, settings=atlas).stdout)
        assert (again["counts"]["unchanged"], again["counts"]["to_embed"]) == (1, 0)
        assert list(database.chunks.find({}, {"created": 1})) == before


def test_a_database_of_another_name_stays_as_it_is(
    ingest: Home, mongod: mongo.Mongod, vectors: list[list[float]]
) -> None:
    uri = mongod.uri.replace("/?", "/old?")
    with MongoClient[dict[str, Any]](mongod.uri) as client:
        fill(client["old"], vectors)
        ingest("adopt", "--from", f"mongodb:{uri}", "--apply", code=1)
        assert set(client["old"].list_collection_names()) == {"chunks", "files"}
    assert [record["filename"] for record in ingest.json("files")] == ["tides.pdf"]


def test_the_tables_of_llamaindex_move_in(ingest: Home, postgres_server: Postgres, vectors: list[list[float]]) -> None:
    url = postgres_server.new_database()
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE data_opie (id bigserial PRIMARY KEY, text varchar NOT NULL, metadata_ jsonb, node_id varchar,"
            " embedding vector(384))"
        )
        for number, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True)):
            fields = {"file_name": "tides.pdf", "page_label": str(number + 1), "doc_id": "d1", "_node_type": "TextNode"}
            fields |= {"_node_content": json.dumps({"text": text}), "topic": "sea"}
            connection.execute(
                "INSERT INTO data_opie (text, metadata_, node_id, embedding) VALUES (%s, %s, %s, %s)",
                (text, json.dumps(fields), f"node-{number}", str(vector)),
            )
    refused = ingest("adopt", "--from", f"llamaindex:{url}", code=1)
    assert "give them with --user and --project" in refused
    (plan,) = ingest.json("adopt", "--from", f"llamaindex:{url}", *OWNER)["documents"]
    assert (plan["key"], plan["kept"], plan["to_embed"]) == ("ann/p//tides.pdf", 3, 0)
    ingest("adopt", "--from", f"llamaindex:{url}", *OWNER, "--apply")
    (hit,) = ingest.json("search", "fog", *OWNER, "-k", "1")
    assert (hit["text"], hit["pages"], hit["metadata"]) == (TEXTS[2], [3], {"doc_id": "d1", "topic": "sea"})
    assert ingest.json("adopt", "--from", f"llamaindex:{url}", *OWNER, "--apply")["counts"]["unchanged"] == 1
    assert "no table nothing" in ingest("adopt", "--from", f"llamaindex:{url}", "--collection", "nothing", code=2)


def test_the_chat_systems_chroma_moves_in(ingest: Home, tmp_path: Path, vectors: list[list[float]]) -> None:
    folder = tmp_path / "chroma_db"
    client = chromadb.PersistentClient(str(folder))
    table = client.create_collection("documents", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    fields = [{"table": "ports", "id": number, "city": "Leith"} for number in range(3)]
    table.add(["a", "b", "c"], documents=TEXTS, embeddings=vectors, metadatas=fields)
    client.clear_system_cache()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    told = ingest.json("adopt", "--from", f"chat:{folder}", *OWNER, "--apply")
    assert told["counts"] == {"adopt": 1, "chunks": 3, "kept": 3, "to_embed": 0, "refused_rows": 0}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (hit,) = ingest.json("search", "lamp", *OWNER, "-k", "1")
    assert (hit["filename"], hit["text"], hit["metadata"]) == ("ports", TEXTS[1], {"city": "Leith"})
    assert not (Path(ingest.environment["DAGSTER_HOME"]) / "adoption" / "chroma").exists()


def test_the_queue_moves_in_with_what_it_had_not_read(ingest: Home, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "new.txt").write_text("The harbour light is green.\n")
    names = {name: f"{folder}/{name}" for name in ("new.txt", "done.txt", "gone.txt", "bad.txt")}
    queue = {"pending": [names["new.txt"]], "processing": [], "failed": [names["bad.txt"]]}
    queue["completed"] = [names["done.txt"], names["gone.txt"]]
    (folder / "checkpoints" / "file_queue.json").write_text(json.dumps(queue))
    client = chromadb.PersistentClient(str(folder / "chroma"))
    rows = client.create_collection("transcripts", embedding_function=None)
    of_openai = np.random.default_rng(1).normal(size=(3, 1536))
    fields = [{"source": names["done.txt"], "chunk_index": number} for number in range(3)]
    rows.add(["a", "b", "c"], documents=TEXTS, embeddings=of_openai, metadatas=fields)
    client.clear_system_cache()
    told = ingest.json("adopt", "--from", f"queue:{folder}", *OWNER, "--apply", code=1)
    steps = {each["key"]: each["step"] for each in told["documents"]}
    assert steps == {
        "ann/p/new.txt": "upload",
        "ann/p/bad.txt": "refuse",
        "ann/p/gone.txt": "refuse",
        "ann/p//done.txt": "adopt",
    }
    assert (told["counts"]["kept"], told["counts"]["to_embed"]) == (0, 3)
    assert ingest.json("search", "oil for the lamp", *OWNER, "-k", "1")[0]["filename"] == "done.txt"
    ingest("work", INGEST_SETTLE_S="0")
    assert {record["filename"] for record in ingest.json("files")} == {"done.txt", "new.txt"}
    assert "all agrees" in ingest("validate")

"""`docs/replaces.md` names all that the replaced systems offered, and what it names here is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from ingest_assets.api.app import make_app
from ingest_assets.api.service import Service
from ingest_assets.cli.main import app
from ingest_assets.config.settings import Settings
from ingest_assets_tests.conftest import ROOT

PAGE = (ROOT / "docs/replaces.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in PAGE.splitlines() if line.startswith("| ")
]
HERE = [here for there, here in ROWS if there not in {"there", "---"}]
THEIRS = {
    "the upload service": (
        *("/health", "/upload", "/upload/status", "/files", "/files/chunks", "replace_filenames", "rename_map"),
        *("MONGO_URI", "MONGO_DB", "EMBED_MODEL", "ATLAS_VECTOR", "MAX_FILES_PER_UPLOAD", "MAX_FILE_MB"),
        *("INGESTION_PORT", "`chunks`", "`files`", "BLIP", "app.py"),
    ),
    "the queue": (
        *("generate_file_queue.py", "ingest_one_file.py", "process_queue_worker.py", "auto_chunker.py"),
        *("optimize_chromadb.py", "MAX_ITERATIONS", "file_queue.json", "processed_files", "failed_files"),
        *("rag_strict", "source_only"),
    ),
    "cloud run": ("/ingest-file", "/update-progress", "ingest_single_file_via_http_task", "data_<name>"),
    "the chunk API": (
        *("/api/entities/{entity_id}/chunks", "/api/entities/{entity_id}/chunks/batch", "Manager.ingest_chunks()"),
        *("FAISS", "8002"),
    ),
    "chat": (
        *("/ingest-data", "/ingest-data-async", "/ingest-status/{batch_id}", "/recent-batches", "/chat"),
        *("/chat/stream", "/chat/history/{user_name}", "EMBEDDING_MODEL", "KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL"),
        *("INGESTION_WORKERS", "EMBEDDING_WORKERS", "data-ingestion", "embedding-requests", "vector-updates"),
        *("batch-status", "run_workers.py", "Gemini"),
    ),
}
"""What the documents of the replaced systems name."""


@pytest.mark.parametrize("system", THEIRS)
def test_all_that_a_replaced_system_offered_is_named(system: str) -> None:
    there = "\n".join(there for there, _ in ROWS)
    assert [name for name in THEIRS[system] if name not in there] == []


def test_every_setting_named_here_exists() -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()} | {"EMBED_MODEL"}
    named = {
        name
        for here in HERE
        for code in re.findall("`([^`]+)`", here)
        for name in re.findall(r"\b[A-Z]+_[A-Z_]+\b", code)
    }
    assert named - known == set()
    assert {"INGESTION_PORT", "MAX_ITERATIONS", "INGEST_OPEN_TO"} <= named


def test_every_command_named_here_exists() -> None:
    command = typer.main.get_command(app)
    named = {name for here in HERE for name in re.findall("`ingest ([a-z-]+)", here)}
    assert named - command.commands.keys() == set()  # type: ignore[attr-defined]  # a group of click
    assert {"adopt", "work", "put-chunks"} <= named


def test_every_endpoint_named_here_exists(tmp_path: Path) -> None:
    service = Service(Settings.model_validate({"DAGSTER_HOME": tmp_path}))
    paths = make_app(service).openapi()["paths"]
    there = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    # "the same" stands for the endpoint of the other column
    named = {
        endpoint
        for row in ROWS
        for cell in (row[1], row[0] if row[1].startswith("the same") else "")
        for endpoint in re.findall("`((?:GET|POST|DELETE) /[^` ]*)", cell)
    }
    assert {_plain(each) for each in named} <= {_plain(each) for each in there}
    assert "POST /upload" in named


def _plain(endpoint: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", endpoint)

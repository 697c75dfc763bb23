"""Test that searches of a running service see at once what other processes change in an embedded store."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ingest_assets_tests.api.conftest import Served, serving
from testing.forked_commands import run_forked
from testing.small_model import small_model

pytestmark = pytest.mark.slow

OWNER = {"user_id": "ann", "project_id": "p"}


def other_process(served: Served, *words: str) -> None:
    """Run a command of `ingest` on the home of the service, to its end."""
    settings = served.settings
    given = {
        "DAGSTER_HOME": str(settings.home),
        "INGEST_MODEL_CACHE": str(settings.model_cache),
        "INGEST_NEXT_MODEL_DIR": str(settings.next_model_dir),
    }
    done = run_forked(words, environment=os.environ | given)
    assert done.returncode == 0, done.stdout + done.stderr


def put(served: Served, folder: Path, doc_id: str, text: str) -> None:
    lines = folder / f"{doc_id}.jsonl"
    lines.write_text(json.dumps({"doc_id": doc_id, "chunk_id": f"{doc_id}-1", "text": text}))
    other_process(served, "put-chunks", str(lines), "--user", "ann", "--project", "p")


def hits(served: Served) -> list[dict[str, Any]]:
    answer = served.client.post("/search", json={"query": "when does the ferry leave", **OWNER})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hits"]
    return found


def test_a_publication_a_delete_and_a_model_change_are_seen_at_once(tmp_path: Path, model_cache: Path) -> None:
    other = small_model(tmp_path / "other-model")
    with serving(tmp_path / "home", model_cache, INGEST_NEXT_MODEL_DIR=other) as served:
        assert hits(served) == []
        put(served, tmp_path, "ferry", "The ferry leaves at seven.")
        put(served, tmp_path, "geese", "Geese winter on the north meadow.")
        before = hits(served)
        assert [hit["text"] for hit in before] == ["The ferry leaves at seven.", "Geese winter on the north meadow."]
        other_process(served, "change-model")
        after = hits(served)
        assert {hit["text"] for hit in after} == {hit["text"] for hit in before}
        assert {hit["score"] for hit in after}.isdisjoint({hit["score"] for hit in before})
        other_process(served, "remove", before[0]["file"]["file_id"])
        assert [hit["text"] for hit in hits(served)] == ["Geese winter on the north meadow."]

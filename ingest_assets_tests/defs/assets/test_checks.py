"""Test the asset checks on files whose stored results were damaged, and on files that could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest_assets.defs.assets.check_results import CHECKS
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.chroma.read import row_names
from ingest_assets.stores.chroma.store import ChromaStore
from ingest_assets_tests.defs.conftest import Project, checks
from ingest_assets_tests.parsers.pdf.pdf_files import Line, Page, write

pytestmark = pytest.mark.slow

TIDES = "# Tides\n\nThe tide table hangs beside the boathouse door and is changed every Monday.\n"
GEESE = "# Geese\n\nThe geese winter on the north meadow from October to March.\n"
FIVE = ("raw_files", "parsed_documents", "image_captions", "chunks", "embeddings")


def test_a_missing_slice_fails_the_page_check(project: Project, tmp_path: Path) -> None:
    pages = [Page((Line(f"Page {number} of the paper.", 72, 700),)) for number in range(3)]
    file_id = project.put("paper.pdf", write(tmp_path / "paper.pdf", pages).read_bytes())
    project.ingest(file_id)
    for slice_file in (project.settings.artifacts_folder / "parsed_documents" / file_id).rglob("*.jsonl.zst"):
        slice_file.unlink()
    assert not checks(project.ingest(file_id))["every_page_is_accounted_for"]


def test_a_lost_row_fails_the_count_check(project: Project) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    with rows_of(project, file_id) as (rows, names):
        rows.delete(ids=names)
    assert not checks(project.ingest(file_id))["chunks_vectors_and_rows_agree"]


@pytest.mark.parametrize(
    "damage", [{"embeddings": [[3.0] * 384]}, {"metadatas": [{"model": "another"}]}], ids=["not unit", "wrong model"]
)
def test_an_unsound_vector_fails_the_vector_check(project: Project, damage: dict[str, Any]) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    with rows_of(project, file_id) as (rows, names):
        rows.update(ids=names, **damage)
    assert not checks(project.ingest(file_id))["vectors_are_sound"]


def test_a_vector_that_is_not_sound_is_never_published(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    file_id = project.put("tides.md", TIDES)
    project.ingest(file_id)
    record = project.record(file_id)
    chunk = project.parts.store.chunks(file_id)[0]
    import numpy as np

    broken = EmbeddedChunk(chunk, np.full(384, np.nan, dtype=np.float32), record.model)
    with pytest.raises(ValueError, match="finite"):
        project.parts.store.replace(replace(record), [broken])
    assert project.record(file_id) == record


def test_a_file_that_cannot_be_read_leaves_no_check_red_and_its_run_says_why(project: Project) -> None:
    file_id = project.put("broken.pdf", b"%PDF-1.7\ngarbage")
    project.ingest(file_id)
    result = project.ingest(file_id)
    assert not result.success
    run = project.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["problem"] == "the PDF is damaged or truncated: no pages can be found in it"
    for asset, name in CHECKS:
        key = dg.AssetCheckKey(dg.AssetKey(asset), name)
        newest, *_ = project.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert newest.partition == file_id
        assert newest.status.value == "SUCCEEDED"


@contextmanager
def rows_of(project: Project, file_id: str) -> Iterator[tuple[Any, list[str]]]:
    """The chunks' collection itself and a file's rows in it, for somebody who tampers with them."""
    store = ChromaStore(project.settings.chroma)
    with store._access.writing() as handle:
        yield handle.chunks, row_names(handle, file_id)

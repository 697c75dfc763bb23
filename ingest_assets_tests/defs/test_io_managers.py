"""Test the IO managers as another project uses them: with plain rows, on each real store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from ingest_assets.defs.io_managers import AtlasIOManager, ChromaIOManager, PGVectorIOManager
from ingest_assets_tests.conftest import ROOT
from testing.mongo import Mongod, standalone
from testing.postgres import Postgres, postgres

pytestmark = pytest.mark.slow

DOCUMENTS = dg.StaticPartitionsDefinition(["tides", "geese"])
IOManager = ChromaIOManager | PGVectorIOManager | AtlasIOManager


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    with standalone(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture(params=["chroma", "pgvector", "atlas"])
def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IOManager]:
    manager: IOManager
    if request.param == "chroma":
        manager = ChromaIOManager(location=str(tmp_path / "chroma"), model="m")
    elif request.param == "pgvector":
        manager = PGVectorIOManager(url=request.getfixturevalue("server").new_database(), dimension=2, model="m")
    else:
        uri = request.getfixturevalue("mongod").uri
        manager = AtlasIOManager(uri=uri, database=f"d{abs(hash(tmp_path))}", dimension=2, model="m")
    yield manager
    manager.close()


def asset_of(rows: Callable[[], Any]) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=DOCUMENTS, io_manager_key="vectors")
    def notes() -> Any:
        return rows()

    return notes


def store(vectors: IOManager, rows: Any, document: str = "tides", *, fails: bool = False) -> dict[str, Any]:
    result = dg.materialize(
        [asset_of(lambda: rows)], partition_key=document, resources={"vectors": vectors}, raise_on_error=not fails
    )
    assert result.success is not fails
    events = result.get_asset_materialization_events()
    return {name: value.value for name, value in events[0].materialization.metadata.items()} if events else {}


def texts(vectors: IOManager, document: str = "tides") -> list[str]:
    return [row.text for row in vectors.rows(dg.AssetKey("notes"), document)]


@dataclass
class Row:
    text: str
    vector: list[float]
    section: tuple[str, ...] = ()


def test_rows_come_back_in_order_with_id_pages_and_section(vectors: IOManager) -> None:
    rows = [
        {"text": "one", "vector": [3, 4], "id": "first", "metadata": {"page": 7}},
        Row("two", [0.6, 0.8], section=("Tides", "Spring")),
    ]
    metadata = store(vectors, rows)
    assert (metadata["document"], metadata["rows"], metadata["model"], metadata["dimension"]) == ("tides", 2, "m", 2)
    one, two = vectors.rows(dg.AssetKey("notes"), "tides")
    assert (one.text, one.id, one.pages) == ("one", "first", (7,))
    assert (two.text, two.section) == ("two", ("Tides", "Spring"))
    assert np.allclose(one.vector, [0.6, 0.8], atol=1e-6)


def test_a_document_is_replaced_as_a_whole_and_the_others_stay(vectors: IOManager) -> None:
    store(vectors, [{"text": text, "vector": [1, 0]} for text in ("a", "b", "c")])
    store(vectors, [{"text": "geese", "vector": [1, 0]}], "geese")
    store(vectors, chain({"text": text, "vector": [0, 1]} for text in ["d"]))
    assert texts(vectors) == ["d"]
    assert texts(vectors, "geese") == ["geese"]
    assert [hit.chunk.text for hit in vectors.search([0, 2], k=3, asset="notes")] == ["d", "geese"]
    store(vectors, [])
    assert texts(vectors) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"text": "x", "vector": [float("nan"), 1]},
        {"text": " ", "vector": [1, 0]},
        {"text": "x"},
        {"text": "x", "vector": [1, 0], "metadata": {"author": "ann"}},
    ],
    ids=["not finite", "no text", "no vector", "metadata that is not kept"],
)
def test_a_bad_row_leaves_the_old_rows_in_force(vectors: IOManager, bad: dict[str, Any]) -> None:
    store(vectors, [{"text": "old", "vector": [1, 0]}])
    store(vectors, [{"text": "new", "vector": [1, 0]}, bad], fails=True)
    assert texts(vectors) == ["old"]


def test_a_downstream_asset_reads_the_rows(vectors: IOManager) -> None:
    notes = asset_of(lambda: [{"text": "one two", "vector": [1, 0]}])

    @dg.asset(partitions_def=DOCUMENTS, ins={"notes": dg.AssetIn("notes")})
    def words(notes: Any) -> int:
        return sum(len(row.text.split()) for row in notes)

    resources = {"vectors": vectors, "io_manager": dg.mem_io_manager}
    result = dg.materialize([notes, words], partition_key="tides", resources=resources)
    assert result.output_for_node("words") == 2


def test_the_example_finds_the_tide_table(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "chroma_io_manager.py"), str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "tides, page 2: The tide table hangs beside the door." in shown.splitlines()[0]

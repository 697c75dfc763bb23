"""Fields are found under the names that the replaced systems and their libraries give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from ingest_assets.adoption.fields import FieldNames, document_name, pages_of, vector_of


def test_a_row_of_the_upload_service_is_read() -> None:
    names = FieldNames()
    row = names.row(
        {
            "_id": 7,
            "user_id": "ann",
            "project_id": "p",
            "filename": "tides.pdf",
            "content": "Springs and neaps.",
            "page_span": [2, 4],
            "topic_name": "Tides",
            "chunk_index": 3,
            "embedding": [3.0, 4.0],
            "created_at": datetime(2025, 1, 2, tzinfo=UTC),
        },
        name="",
    )
    assert (row.user_id, row.project_id, row.name, row.chunk_id) == ("ann", "p", "tides.pdf", "7")
    assert (row.text, row.pages, row.section, row.index) == ("Springs and neaps.", (2, 3, 4), ("Tides",), 3)
    assert row.vector is not None
    assert row.vector.tolist() == pytest.approx([0.6, 0.8])
    assert row.metadata == {"created_at": "2025-01-02T00:00:00+00:00"}
    assert "text: content (1 rows)" in names.used


def test_fields_inside_metadata_count_and_those_of_libraries_go() -> None:
    fields = {
        "text": "A lamp.",
        "metadata_": {"file_name": "oil.txt", "page_label": "9", "_node_content": "{…}", "_node_type": "TextNode"},
        "node_id": "n1",
        "embedding": "[1,0]",
    }
    row = FieldNames().row(fields, name="data")
    assert (row.name, row.pages, row.chunk_id, row.metadata) == ("oil.txt", (9,), "n1", {})


def test_a_row_without_a_name_or_id_gets_those_of_its_collection() -> None:
    row = FieldNames().row({"text": "A lamp."}, name="customers", chunk_id="row-1")
    assert (row.name, row.chunk_id, row.user_id) == ("customers", "row-1", "")


@pytest.mark.parametrize(
    ("value", "pages"),
    [
        (3, (3,)),
        ("3", (3,)),
        ("3-5", (3, 4, 5)),
        ([1, 2, 7], (1, 2, 7)),
        ([4, 6], (4, 5, 6)),
        ({"start": 1, "end": 2}, (1, 2)),
        ("cover", ()),
        (None, ()),
        ([0, -1], ()),
        (True, ()),
        (2.0, (2,)),
        ([1, 2**40], (1,)),
    ],
)
def test_pages_are_read_from_numbers_lists_and_ranges(value: Any, pages: tuple[int, ...]) -> None:
    assert pages_of(value) == pages


@pytest.mark.parametrize("value", [None, "words", [], [0.0, 0.0], [float("nan"), 1.0], [[1.0]], b"\x00", {"a": 1}])
def test_what_is_no_vector_is_none(value: Any) -> None:
    assert vector_of(value) is None


def test_a_vector_gets_norm_one() -> None:
    vector = vector_of(np.array([0.0, 5.0]))
    assert vector is not None
    assert vector.dtype == np.float32
    assert vector.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/app/docs/a.txt", "app/docs/a.txt"),
        ("C:\\docs\\a.txt", "docs/a.txt"),
        ("../../a.txt", "a.txt"),
        ("a.txt", "a.txt"),
        ("//", ""),
    ],
)
def test_a_path_becomes_a_name_without_its_root(source: str, name: str) -> None:
    assert document_name(source) == name

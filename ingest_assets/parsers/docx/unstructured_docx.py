"""Import the Word partitioner of `unstructured`. Import this module late: it takes a second and some 190 MB."""

from __future__ import annotations

from typing import Any

from ingest_assets.parsers.unstructured_elements import load


def _partitioner() -> tuple[Any, Any]:
    load()
    from unstructured.partition.docx import DocxPartitionerOptions, _DocxPartitioner

    return _DocxPartitioner, DocxPartitionerOptions


DocxPartitioner, DocxPartitionerOptions = _partitioner()

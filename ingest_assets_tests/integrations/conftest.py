"""Run one service for the tests of all integrations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.access.callers import KeyRole
from ingest_assets.client import ServiceClient
from ingest_assets_tests.api.conftest import Served, serving

LONG = 6
"""Chunks of the document `log`, which is longer than what an assistant reads at once."""


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """A service whose user `entities` has the projects `keepers` and `pilots`."""
    with serving(tmp_path_factory.mktemp("service") / "home", model_cache) as running:
        with ServiceClient(running.url, key=running.key("*", role=KeyRole.ADMIN)) as client:
            client.add_chunks("pilots", [_chunk("pilot", 0, "The ferry leaves at nine.")])
            client.add_chunks("keepers", [_chunk("manual", at, text) for at, text in enumerate(_MANUAL)])
            days = [_chunk("log", day, f"Day {day}: " + "the sea was calm. " * 250) for day in range(LONG)]
            client.add_chunks("keepers", days)
        yield running


_MANUAL = ("The lamp burns oil.", "The horn is loud.")


def _chunk(document: str, number: int, text: str) -> dict[str, Any]:
    return {
        "chunk_id": f"{document} {number}",
        "markdown": {"text": text, "chunk_order_index": number, "pages": [number + 1]},
        "metadata": {"doc_id": document, "year": 1890, "filename": "the client's own"},
    }

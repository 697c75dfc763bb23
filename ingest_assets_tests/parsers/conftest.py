"""Share what the tests of the parsers need and takes time to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest_assets_tests.parsers.capped_reader import CappedReader


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CappedReader]:
    known = tmp_path_factory.mktemp("known") / "known.html"
    known.write_text("<p>It rained on the fourth of May.</p>")
    reader = CappedReader([known])
    yield reader
    reader.close()

"""The text that is read from files of the corpus does not become less.

The reference of each file is a sample of its runs of four words, as digests (`truth/recall.tsv`: file, number of runs
found when the sample was written, digests). `python -m benchmarks.reading.quality --pin` writes it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from ingest_assets_tests.parsers.corpus_reading import read_once
from testing import words

# spaCy and other dependencies of unstructured.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("corpus"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@cache
def pinned() -> dict[str, tuple[int, list[str]]]:
    table = (Path(__file__).parent / "truth" / "recall.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines())
    return {file: (int(found), runs.split()) for file, found, runs in rows}


@pytest.mark.parametrize("file", pinned())
def test_a_file_has_lost_no_text(corpus: Path, file: str) -> None:
    before, runs = pinned()[file]
    ours = set(map(words.digest, words.runs_of(read_once(corpus, file).text)))
    assert sum(run in ours for run in runs) >= before

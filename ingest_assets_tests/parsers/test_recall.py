"""Text recall on the corpus, against what independent readers agreed on (benchmarks/reading): nothing may get worse.

The reference is a sample of runs of four words of each file, kept as digests (`truth/recall.tsv`: file, how many of
them were found when the sample was written, the digests). `benchmarks/reading/quality.py --pin` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.families import parser_for
from testing import words

# spaCy and what unstructured brings with it.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def pinned() -> dict[str, tuple[int, list[str]]]:
    table = (Path(__file__).parent / "truth" / "recall.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines())
    return {file: (int(found), runs.split()) for file, found, runs in rows}


def text_of(path: Path) -> str:
    parser = parser_for(detect(path, filename=path.name), filename=path.name)
    return "\n".join(element.text for part in parser.read(path, limits=Limits()) for element in part.elements)


def test_no_file_has_lost_text(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost, lines = [], [f"\n{'file':44} runs found before"]
    for file, (before, runs) in pinned().items():
        ours = set(map(words.digest, words.runs_of(text_of(corpus / file))))
        found = sum(run in ours for run in runs)
        lines.append(f"{file:44} {len(runs):4} {found:5} {before:6}")
        if found < before:
            lost.append(file)
    with capsys.disabled():
        sys.stdout.write("\n".join([*lines, ""]))
    assert lost == []

"""The character error rates of OCR on scans and pictures of the corpus stay below their limits."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner
from ingest_assets.parsers.building.pictures import encode
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.records import Caption, Picture
from ingest_assets.stages.caption import caption
from ingest_assets_tests.clients.ocr.error_rates import error_rate, truths
from testing.soaking import SOAKING, share

# Twelve dense pages in the soak: a minute on two quiet cores, several on busy ones.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MAX_RATE = 0.03
# Half-tone photographs, hand lettering and print of 6 points on yellowed paper.
MAX_RATES = {"image/old_newspaper.png": 0.10}


# One of each kind for the gate: a page turned on its side, type with worn letters, Chinese, columns of small print.
IN_THE_GATE = (
    *("pdf_scanned/ocr_test_rotated_90.pdf", "image/typewriter.png"),
    *("image/chi_sim_image.jpeg", "image/double-column-A.jpg"),
)


@dataclass
class Outcome:
    name: str
    page: int
    caption: Caption
    rate: float
    seconds: float


@pytest.fixture(scope="module")
def outcomes(corpus: Path, request: pytest.FixtureRequest) -> Iterator[list[Outcome]]:
    found = []
    with RapidOcrCaptioner() as captioner:
        for name, blocks in truths().items():
            if not (SOAKING or name in IN_THE_GATE):
                continue
            for number, picture in enumerate(pictures(corpus / name), 1):
                began = time.perf_counter()
                (row,) = caption([picture], load=lambda _: b"", captioner=captioner)
                seconds = time.perf_counter() - began
                found.append(Outcome(name, number, row, error_rate(row.text, blocks), seconds))
    yield found
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        sys.stdout.write(table_of(found, peak_mb=captioner.peak_memory_mb))


def pictures(path: Path) -> list[Picture]:
    if path.suffix == ".pdf":
        return [picture for part in pdf.read(path, limits=Limits()) for picture in part.pictures]
    return [encode(path.read_bytes(), page_number=None, limits=Limits())]


def table_of(outcomes: list[Outcome], *, peak_mb: float) -> str:
    lines = [f"\n{'file':38} page errors confidence seconds"]
    for one in outcomes:
        sure = one.caption.confidence or 0
        lines.append(f"{one.name:38} {one.page:4} {100 * one.rate:5.2f}% {sure:10.3f} {one.seconds:7.2f}")
    return "\n".join([*lines, f"peak of the OCR process: {peak_mb:.0f} MB", ""])


def test_error_rates_stay_below_their_limits(outcomes: list[Outcome]) -> None:
    assert len(outcomes) == share(4, 12)
    wrong = [(one.name, one.page, one.rate) for one in outcomes if one.rate > MAX_RATES.get(one.name, MAX_RATE)]
    assert wrong == []


def test_none_of_what_is_read_well_is_called_doubtful(outcomes: list[Outcome]) -> None:
    assert [one.name for one in outcomes if one.caption.is_doubtful] == []

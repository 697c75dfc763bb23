"""Test the pictures of pages: drawn in real processes, with the boxes of their words, and gone with the file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.conftest import ROOT

pytestmark = pytest.mark.slow

PDF = "station-handbook.pdf"
HANDBOOK = (ROOT / "samples" / PDF).read_bytes()
OF_PDF = {"user_id": "ann", "project_id": "p", "filename": PDF}


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """A service with a PDF that a run has read."""
    with serving(tmp_path_factory.mktemp("pictures") / "home", model_cache) as served:
        assert served.ingest(served.put(f"ann/p/{PDF}", HANDBOOK))
        yield served


def test_a_page_is_drawn_and_its_words_have_boxes_on_it(handbook: Served) -> None:
    answer = handbook.client.get("/files/page", params={**OF_PDF, "page": 1})
    assert answer.headers["content-type"] == "image/webp" and "sandbox" in answer.headers["content-security-policy"]
    image = Image.open(io.BytesIO(answer.content))
    words = handbook.client.get("/files/page/words", params={**OF_PDF, "page": 1}).json()
    assert (words["width"], words["height"]) == image.size and not words["is_read_by_ocr"]
    first = words["words"][0]
    assert first["text"] == "Hollow"
    left, top = first["left"] * image.width, first["top"] * image.height
    right, bottom = left + first["width"] * image.width, top + first["height"] * image.height
    grey = np.asarray(image.convert("L"))
    assert grey[int(top) : int(bottom), int(left) : int(right)].min() < 100, "letters stand in the box"


def test_a_page_that_is_not_there_is_a_problem(handbook: Served) -> None:
    answer = handbook.client.get("/files/page", params={**OF_PDF, "page": 999})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_page_picture")


def test_a_file_that_has_changed_since_it_was_read_is_not_drawn_beside_the_old_text(served: Served) -> None:
    file_id = served.put(f"ann/p/{PDF}", HANDBOOK)
    assert served.ingest(file_id)
    served.put(f"ann/p/{PDF}", b"%PDF-1.7\nanother file")
    answer = served.client.get("/files/page", params=OF_PDF)
    assert (answer.status_code, answer.json()["code"]) == (409, "file_changed")


def test_the_pictures_of_pages_go_with_the_file(served: Served) -> None:
    file_id = served.put(f"ann/p/{PDF}", HANDBOOK)
    assert served.ingest(file_id)
    assert served.client.get("/files/page", params=OF_PDF).status_code == 200
    kept = served.service.project.artifacts.beside("page_pictures", file_id)
    assert kept.names()
    served.service.project.artifacts.delete(file_id)
    assert not kept.names()


@pytest.mark.slow
def test_the_words_of_a_scan_are_found_by_ocr(served: Served) -> None:
    image = Image.new("RGB", (900, 300), "white")
    ImageDraw.Draw(image).text((300, 120), "The ferry leaves at noon", fill="black", font=ImageFont.load_default(40))
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    assert served.ingest(served.put("ann/p/scan.png", encoded.getvalue()))
    of_scan = {**OF_PDF, "filename": "scan.png"}
    picture = served.client.get("/files/page/reading", params=of_scan).json()["elements"][0]["picture"]
    assert "ferry" in picture["text"] and picture["confidence"] > 0.5 and picture["model"].startswith("rapidocr")
    found = served.client.get("/files/page/words", params=of_scan).json()
    assert found["is_read_by_ocr"]
    (line,) = found["words"]
    assert "ferry" in line["text"]
    assert 0.25 < line["left"] < 0.4 and 0.3 < line["top"] < 0.5
    shown = served.client.get("/files/picture", params={**of_scan, "sha256": picture["sha256"]})
    assert shown.headers["content-type"] == "image/png" and shown.headers["x-content-type-options"] == "nosniff"

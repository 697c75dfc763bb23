"""Test what the service shows of how a document was read, with real runs and pages drawn in real processes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest_assets_tests.api.conftest import Served, serving

SAMPLES = Path(__file__).parents[2] / "samples"
PDF = "station-handbook.pdf"
OF_PDF = {"user_id": "ann", "project_id": "p", "filename": PDF}


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """A service with a PDF and a Markdown file that runs have read."""
    with serving(tmp_path_factory.mktemp("reading") / "home", model_cache) as served:
        for name in (PDF, "notes.md"):
            content = (SAMPLES / name).read_bytes() if name == PDF else b"# Notes\n\nThe boat is <b>blue</b>.\n"
            assert served.ingest(served.put(f"ann/p/{name}", content))
        yield served


def test_a_documents_reading_says_by_whom_and_what_was_left_out(station: Served) -> None:
    reading = station.client.get("/files/reading", params=OF_PDF).json()
    assert reading["state"] == "succeeded" and reading["has_page_images"] and reading["unread"] == []
    assert reading["pages"] == reading["pages_read"] > 1
    assert {stage["stage"] for stage in reading["stages"]} >= {"parsed_documents", "chunks"}


def test_a_page_shows_its_elements_and_the_chunks_that_stand_on_it(station: Served) -> None:
    page = station.client.get("/files/page/reading", params={**OF_PDF, "page": 1}).json()
    assert page["elements"][0]["text"].startswith("Hollow Skerry Weather Station")
    assert page["chunks"] and all(1 in chunk["pages"] for chunk in page["chunks"])


def test_a_page_is_drawn_and_its_words_have_boxes_on_it(station: Served) -> None:
    answer = station.client.get("/files/page", params={**OF_PDF, "page": 1})
    assert answer.headers["content-type"] == "image/webp" and "sandbox" in answer.headers["content-security-policy"]
    image = Image.open(io.BytesIO(answer.content))
    words = station.client.get("/files/page/words", params={**OF_PDF, "page": 1}).json()
    assert (words["width"], words["height"]) == image.size and not words["is_read_by_ocr"]
    first = words["words"][0]
    assert first["text"] == "Hollow"
    left, top = first["left"] * image.width, first["top"] * image.height
    box = (left, top, left + first["width"] * image.width, top + first["height"] * image.height)
    darkest, _ = image.crop(tuple(map(int, box))).convert("L").getextrema()
    assert darkest < 100, "letters stand in the box"


def test_a_page_that_is_not_there_is_a_problem(station: Served) -> None:
    answer = station.client.get("/files/page", params={**OF_PDF, "page": 999})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_page_picture")


def test_a_format_without_pages_shows_its_text(station: Served) -> None:
    of_notes = {**OF_PDF, "filename": "notes.md"}
    assert not station.client.get("/files/reading", params=of_notes).json()["has_page_images"]
    assert station.client.get("/files/page", params=of_notes).json()["code"] == "no_page_picture"
    texts = [each["text"] for each in station.client.get("/files/page/reading", params=of_notes).json()["elements"]]
    assert texts[0] == "Notes"


def test_a_file_of_another_user_is_not_shown(served: Served) -> None:
    client = served.with_key("bob")
    for path in ("reading", "page", "page/words", "page/reading"):
        assert client.get(f"/files/{path}", params=OF_PDF).json()["code"] == "forbidden"


def test_a_file_that_has_changed_since_it_was_read_is_not_drawn_beside_the_old_text(served: Served) -> None:
    file_id = served.put(f"ann/p/{PDF}", (SAMPLES / PDF).read_bytes())
    assert served.ingest(file_id)
    served.put(f"ann/p/{PDF}", b"%PDF-1.7\nanother file")
    answer = served.client.get("/files/page", params=OF_PDF)
    assert (answer.status_code, answer.json()["code"]) == (409, "file_changed")


def test_the_pictures_of_pages_go_with_the_file(served: Served) -> None:
    file_id = served.put(f"ann/p/{PDF}", (SAMPLES / PDF).read_bytes())
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

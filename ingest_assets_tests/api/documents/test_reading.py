"""Test what the service shows of how a document was read, with real runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets_tests.api.conftest import Served, serving
from ingest_assets_tests.conftest import ROOT

pytestmark = pytest.mark.slow

PDF = "station-handbook.pdf"
OF_PDF = {"user_id": "ann", "project_id": "p", "filename": PDF}


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Served]:
    """A service with a PDF and a Markdown file that runs have read."""
    with serving(tmp_path_factory.mktemp("reading") / "home", model_cache) as served:
        for name in (PDF, "notes.md"):
            content = (
                (ROOT / "samples" / name).read_bytes() if name == PDF else b"# Notes\n\nThe boat is <b>blue</b>.\n"
            )
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

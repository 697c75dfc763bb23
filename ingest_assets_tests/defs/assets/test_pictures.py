"""Test the pictures of files in the whole job: described by a tiny BLIP, read by the real OCR, once per store."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pptx
import pytest
from PIL import Image, ImageDraw, ImageFont
from pptx.util import Cm

from ingest_assets.records import Caption
from ingest_assets_tests.clients.pictures.tiny_blip import write_blip
from ingest_assets_tests.defs.conftest import Project, metadata

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blip(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def project(tmp_path: Path, model_cache: Path, blip: Path) -> Iterator[Project]:
    """A project that finds BLIP's weights by itself."""
    project = Project(tmp_path / "home", model_cache, INGEST_BLIP_MODEL=str(blip))
    project.parts.mark_bucket()
    with project.instance:
        yield project
    project.parts.close()


def sign(words: str) -> bytes:
    image = Image.new("RGB", (420, 160), "white")
    ImageDraw.Draw(image).text((20, 50), words, fill="black", font=ImageFont.load_default(40))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def slides(*pictures: list[bytes]) -> bytes:
    deck = pptx.Presentation()
    for standing in pictures:
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        for place, data in enumerate(standing):
            slide.shapes.add_picture(io.BytesIO(data), Cm(1), Cm(1 + 4 * place))
    file = io.BytesIO()
    deck.save(file)
    return file.getvalue()


def captions(project: Project, file_id: str) -> list[Caption]:
    return list(project.parts.artifacts.read("image_captions", file_id, Caption))


def test_a_picture_is_described_and_read_and_a_logo_is_counted(project: Project) -> None:
    logo, boat = sign("Hollow Skerry"), sign("Boat at noon")
    file_id = project.put("talk.pptx", slides([logo, boat], [logo], [logo], [logo]))
    result = project.ingest(file_id)
    assert result.success
    letterhead, picture = captions(project, file_id)
    assert letterhead.problem.startswith("decoration: it stands on most pages")
    assert picture.text == "Boat at noon"
    assert len(picture.caption.split()) > 2
    assert picture.model.startswith("blip/tiny-")
    assert " + rapidocr-" in picture.model
    assert metadata(result, "image_captions")["decorations"] == 1
    assert project.record(file_id).decorations == 1
    (text,) = project.texts(file_id)
    assert f"{picture.caption}\nBoat at noon" in text
    assert "Hollow Skerry" not in text


def test_a_picture_is_looked_at_once_for_all_files_and_goes_with_the_last(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner

    asked: list[bytes] = []
    look = RapidOcrCaptioner.caption

    def ask(captioner: RapidOcrCaptioner, data: bytes) -> object:
        asked.append(data)
        return look(captioner, data)

    monkeypatch.setattr(RapidOcrCaptioner, "caption", ask)
    boat, tide = sign("Boat at noon"), sign("High tide")
    first = project.put("one.pptx", slides([boat]))
    second = project.put("two.pptx", slides([], [tide, boat]))
    assert project.ingest(first).success
    assert project.ingest(second).success
    assert asked == [boat, tide]
    (one,), (_, again) = captions(project, first), captions(project, second)
    assert (again.caption, again.text, again.model) == (one.caption, one.text, one.model)
    assert (one.page_number, again.page_number) == (1, 2)
    for file_id, name in ((first, "one.pptx"), (second, "two.pptx")):
        project.path(name).unlink()
        assert project.purge(file_id).success
    third = project.put("three.pptx", slides([boat]))
    assert project.ingest(third).success
    assert asked == [boat, tide, boat]

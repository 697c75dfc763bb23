"""Test picture files: a page for each frame of a TIFF, sizes checked first, damage named."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from PIL import Image

from ingest_assets.errors import BadInput
from ingest_assets.parsers import image
from ingest_assets.parsers.contract import Limits
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mutation import many_files, mutated, places, read_or_refuse
from ingest_assets_tests.parsers.reading import file, parts_of, png


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def page(number: int, *, side: int = 60) -> Image.Image:
    return Image.linear_gradient("L").rotate(number * 10).resize((side + number, side))


def tiff(pages: int, **options: object) -> bytes:
    first, *rest = (page(number) for number in range(1, pages + 1))
    return saved(first, "TIFF", save_all=True, append_images=rest, **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_picture_is_one_page(tmp_path: Path, kind: str) -> None:
    path = file(tmp_path, saved(page(1), kind))
    (part,) = read_or_refuse(path, "scan.dat")
    (element,) = part.elements
    (picture,) = part.pictures
    assert (element.type, element.picture, element.page_number) == (ElementType.IMAGE, picture.sha256, 1)
    assert (picture.width, picture.height, picture.page_number) == (61, 60, 1)
    assert picture.media_type == ("image/jpeg" if kind == "JPEG" else "image/png")


def test_png_and_jpeg_stay_as_they_are(tmp_path: Path) -> None:
    data = png()
    assert parts_of(image, file(tmp_path, data))[0].pictures[0].data == data


def test_a_tiff_has_as_many_pages_as_frames(tmp_path: Path) -> None:
    path = file(tmp_path, tiff(3, compression="tiff_deflate"))
    parts = parts_of(image, path)
    assert image.count_pages(path, limits=Limits()) == 3
    assert [(part.page_number, part.pictures[0].width) for part in parts] == [(1, 61), (2, 62), (3, 63)]
    assert parts_of(image, path, start=3) == parts[2:]


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    data = saved(page(1), "GIF", save_all=True, append_images=[page(2).resize((61, 60))])
    (part,) = parts_of(image, file(tmp_path, data))
    assert "only its first frame" in part.warnings[0]


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (part,) = parts_of(image, file(tmp_path, saved(page(40), "JPEG", exif=exif)))
    assert (part.pictures[0].width, part.pictures[0].height) == (60, 100)


def test_a_size_over_the_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = saved(page(1), "BMP")
    huge = data[:18] + (60_000).to_bytes(4, "little") * 2 + data[26:]
    with pytest.raises(BadInput, match="60,000 x 60,000 pixels, over the limit"):
        parts_of(image, file(tmp_path, huge))


def test_a_page_over_the_limit_costs_no_other(tmp_path: Path) -> None:
    path = file(tmp_path, saved(page(1), "TIFF", save_all=True, append_images=[page(1, side=500), page(2)]))
    parts = list(image.read(path, limits=Limits(max_picture_pixels=10_000)))
    assert [bool(part.problem) for part in parts] == [False, True, False]
    assert "picture on page 2: 501 x 500 pixels" in parts[1].problem


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="more pages than the limit of 2"):
        image.count_pages(file(tmp_path, tiff(3)), limits=Limits(max_pages=2))


def test_damage_after_a_page_has_a_number(tmp_path: Path) -> None:
    parts = parts_of(image, file(tmp_path, tiff(3)[:-3700]))
    assert not parts[0].problem
    assert parts[-1].problem.startswith("picture on page")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", png()[:60], b"GIF89a\0\0", b"II*\0" + b"\xff" * 4])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInput, match=r"empty|damaged"):
        parts_of(image, file(tmp_path, data))


@pytest.mark.slow
@many_files
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    for name in ("testTIFF_multipage.tif", "webp-test.webp", "chi_sim_image.jpeg"):
        data = mutated((corpus / "image" / name).read_bytes(), changes)
        read_or_refuse(file(tmp_path, data, name), name)

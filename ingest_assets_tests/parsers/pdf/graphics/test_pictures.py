"""Pictures on pages of PDFs are read or skipped with a warning."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

from PIL import Image

from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.pdf.pdf_files import (
    PROSE,
    SECOND,
    Line,
    Page,
    column,
    image_of,
    jpeg,
    read,
    write,
)


def test_a_picture_stands_before_its_caption_and_a_jpeg_is_kept_as_it_is(tmp_path: Path) -> None:
    data = jpeg()
    lines = (*column(PROSE, x=72, rows=5), Line("Figure 1. A caption.", 72, 280), Line("After it.", 72, 200))
    path = write(tmp_path / "a.pdf", [Page(lines, image_of(data, b"/ColorSpace/DeviceRGB/Filter/DCTDecode"))])
    (part,) = read(path)
    kinds = [element.type for element in part.elements]
    place = kinds.index(ElementType.IMAGE)
    assert part.elements[place + 1].text == "Figure 1. A caption."
    assert part.elements[place].picture == part.pictures[0].sha256
    assert part.pictures[0].data == data
    assert part.pictures[0].page_number == 1


def test_a_picture_that_is_no_jpeg_becomes_png(tmp_path: Path) -> None:
    pixels = Image.effect_noise((64, 48), 90).tobytes()
    image = image_of(zlib.compress(pixels), b"/ColorSpace/DeviceGray/Filter/FlateDecode")
    (part,) = read(write(tmp_path / "a.pdf", [Page((Line("text", 72, 700),), image)]))
    (picture,) = part.pictures
    assert (picture.media_type, picture.width, picture.height) == ("image/png", 64, 48)
    with Image.open(io.BytesIO(picture.data)) as shown:
        assert shown.tobytes() == pixels


def test_bullets_rules_and_plain_areas_are_no_pictures(tmp_path: Path) -> None:
    plain = image_of(zlib.compress(bytes(64 * 48)), b"/ColorSpace/DeviceGray/Filter/FlateDecode")
    small = image_of(jpeg(20, 20), b"/ColorSpace/DeviceRGB/Filter/DCTDecode", width=20, height=20)
    pages = [Page((Line("text", 72, 700),), plain), Page((Line("text", 72, 700),), small)]
    assert all(part.pictures == () and not part.warnings for part in read(write(tmp_path / "a.pdf", pages)))


def test_a_picture_of_a_gigapixel_is_left_out_with_a_warning_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = image_of(b"", b"/ColorSpace/DeviceGray/Filter/CCITTFaxDecode", width=35_000, height=35_000)
    (part,) = read(write(tmp_path / "a.pdf", [Page((Line("text", 72, 700),), bomb)]))
    assert part.pictures == ()
    assert [element.text for element in part.elements] == ["text"]
    assert "35,000 x 35,000 pixels" in part.warnings[0]


def test_the_scan_behind_its_own_text_layer_is_no_picture_on_the_page(tmp_path: Path) -> None:
    image = image_of(jpeg(), b"/ColorSpace/DeviceRGB/Filter/DCTDecode")
    hidden = b"q 595 0 0 842 0 0 cm /Im Do Q BT 3 Tr /F 10 Tf 72 700 Td (%s) Tj ET"
    layer = f"{PROSE} {SECOND} {PROSE}"
    (part,) = read(write(tmp_path / "a.pdf", [Page(image=image, content=hidden % layer.encode())]))
    assert [element.text for element in part.elements] == [layer]
    assert part.pictures == ()

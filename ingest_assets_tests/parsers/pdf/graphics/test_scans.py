"""A page without a readable text layer is drawn as one picture, for any kind of content."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from pypdfium2 import PdfDocument

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.parsers.pdf.graphics.scans import PIXEL_BUDGET
from ingest_assets.records import ElementType, Part
from ingest_assets_tests.parsers.pdf.pdf_files import (
    LIMITS,
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

SCAN = image_of(jpeg(), b"/ColorSpace/DeviceRGB/Filter/DCTDecode")
WHOLE = b"q 595 0 0 842 0 0 cm /Im Do Q\n"
# Text in a subset font without a table of characters: PDFium returns the numbers of glyphs as letters.
ILLEGIBLE = "".join(chr(ord(letter) - 29) if letter > "A" else letter for letter in f"{PROSE} {SECOND} {PROSE}")


def shown(part: Part) -> Image.Image:
    """Return the one picture of a page."""
    (picture,) = part.pictures
    with Image.open(io.BytesIO(picture.data)) as image:
        return image.copy()


def scanned(lines: list[str], *, turned: int = 0) -> Image.Image:
    """Return a sheet of A4 at 150 dots per inch, typed upon and laid on the scanner turned to the left."""
    sheet = Image.new("L", (1240, 1754), "white")
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((120, 140 + 40 * number), line, fill="black", font=ImageFont.load_default(26))
    return sheet.rotate(turned, expand=True)


def test_a_scan_is_one_picture_of_each_page_and_keeps_its_number(tmp_path: Path) -> None:
    parts = read(write(tmp_path / "a.pdf", [Page(image=SCAN)] * 2))
    assert [part.number for part in parts] == [part.page_number for part in parts] == [1, 2]
    for part in parts:
        (element,), (picture,) = part.elements, part.pictures
        assert (element.type, element.page_number) == (ElementType.IMAGE, part.number)
        assert element.picture == picture.sha256
        assert picture.is_page
        assert (part.warnings, part.problem) == ((), "")


def test_a_page_is_drawn_in_grey_at_200_dots_per_inch_as_it_is_shown(tmp_path: Path) -> None:
    upright, turned = read(write(tmp_path / "a.pdf", [Page(image=SCAN), Page(image=SCAN, extra=b"/Rotate 90")]))
    assert (shown(upright).mode, shown(upright).size) == ("L", (1653, 2339))
    assert shown(turned).size == (2339, 1653)


def test_letters_drawn_as_curves_are_not_a_text_layer(tmp_path: Path) -> None:
    (part,) = read(write(tmp_path / "a.pdf", [Page(content=b"72 72 m 200 300 l 300 72 l f")]))
    assert [element.type for element in part.elements] == [ElementType.IMAGE]


def test_a_page_of_400_square_inches_and_more_is_drawn_within_the_budget(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", [Page(image=SCAN)])
    for box in (b"20000 20000", b"14400 9", b"9 1000000"):
        large = tmp_path / "large.pdf"
        large.write_bytes(path.read_bytes().replace(b"0 0 595 842", b"0 0 " + box))
        (part,) = read(large)
        for picture in part.pictures:
            assert 1_000 < picture.width * picture.height <= PIXEL_BUDGET


def test_a_scan_of_a_gigapixel_is_quarantined_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = image_of(b"", b"/ColorSpace/DeviceGray/Filter/CCITTFaxDecode", width=35_000, height=35_000)
    first, second = read(write(tmp_path / "a.pdf", [Page(image=bomb), Page((Line("text", 72, 700),))]))
    assert first.problem.startswith("page 1 is a scan of 35,000 x 35,000 pixels, over the limit")
    assert [element.text for element in second.elements] == ["text"]


def test_a_blank_sheet_that_was_scanned_is_an_empty_page(tmp_path: Path) -> None:
    white = image_of(zlib.compress(b"\xff" * 64 * 48), b"/ColorSpace/DeviceGray/Filter/FlateDecode")
    assert read(write(tmp_path / "a.pdf", [Page(image=white)])) == [Part(1, page_number=1)]


def test_a_page_with_text_keeps_it_and_its_pictures_are_those_on_it(tmp_path: Path) -> None:
    data = jpeg()
    image = image_of(data, b"/ColorSpace/DeviceRGB/Filter/DCTDecode")
    (part,) = read(write(tmp_path / "a.pdf", [Page((Line("text", 72, 700),), image)]))
    assert {element.type for element in part.elements} == {ElementType.NARRATIVE_TEXT, ElementType.IMAGE}
    assert [picture.is_page for picture in part.pictures] == [False]
    assert part.pictures[0].data == data


def test_a_stamp_of_invisible_text_on_a_scan_is_not_its_text(tmp_path: Path) -> None:
    content = WHOLE + b"BT 3 Tr /F 10 Tf 72 20 Td (Scanned by ACME, page 7) Tj ET"
    (part,) = read(write(tmp_path / "a.pdf", [Page(image=SCAN, content=content)]))
    assert [picture.is_page for picture in part.pictures] == [True]


def test_glyphs_without_letters_are_drawn_with_a_warning(tmp_path: Path) -> None:
    lines = tuple(Line(ILLEGIBLE, 60, 700 - 12 * row) for row in range(3))
    first, second = read(write(tmp_path / "a.pdf", [Page(lines), Page(tuple(column(PROSE, x=60)))]))
    assert [element.type for element in first.elements] == [ElementType.IMAGE]
    assert "page 1: there are no letters behind the glyphs" in first.warnings[0]
    assert [element.type for element in second.elements] == [ElementType.NARRATIVE_TEXT]


@pytest.mark.parametrize("start", [2, 5, 8])
def test_reading_from_a_later_page_yields_the_same_pictures(tmp_path: Path, start: int) -> None:
    kinds = [Page(image=SCAN), Page(tuple(column(PROSE, x=60))), Page((Line(ILLEGIBLE, 60, 700),) * 2)]
    path = write(tmp_path / "a.pdf", [kinds[number % 3] for number in range(9)])
    assert read(path, start=start) == read(path)[start - 1 :]


def test_a_page_that_does_not_fit_in_memory_is_not_drawn(tmp_path: Path) -> None:
    path, touched = write(tmp_path / "a.pdf", [Page(image=SCAN)] * 3), list[int]()
    list(pdf.read(path, limits=Limits(unread=frozenset({1}), before_part=touched.append), start=2))
    assert set(touched) == {2, 3}


def test_every_scan_of_the_corpus_is_a_picture_of_each_page(corpus: Path) -> None:
    for path in sorted((corpus / "pdf_scanned").glob("*.pdf")):
        with PdfDocument(path) as document:
            pages = len(document)
        found = list(pdf.read(path, limits=LIMITS))
        assert [[picture.is_page for picture in part.pictures] for part in found] == [[True]] * pages, path.name

"""Draw one page of a PDF or a picture file for people, and say where its words stand.

The words' boxes let the page mark an element, a chunk or a hit where it stands. They come from the text layer of a PDF;
on a page that is a picture, OCR finds them. Boxes are computed when somebody looks at a page, and not kept with the
elements: most pages are never looked at. OCR takes seconds, so it is asked only for words, not for the picture.

What is drawn was uploaded by anybody, so this runs in a process of its own under a memory cap
(`api/pictures/page_pictures.py`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building import pictures
from ingest_assets.parsers.contract import Limits

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfPage, PdfTextPage

VERSION = "1"
PDF = "application/pdf"
DRAWN = {PDF, *(f"image/{kind}" for kind in ("png", "jpeg", "gif", "bmp", "tiff", "webp"))}
"""Media types whose pages can be drawn."""
MEDIA_TYPE = "image/webp"

_DOTS_PER_INCH = 130  # a page of A4 is 1,500 px high: print of 8 points can be read on a screen of high resolution
_PIXEL_BUDGET = 3_000_000  # 12 MB while it is drawn
_QUALITY = 82  # of WebP: no halo around letters that a person sees
_MOST_WORDS = 20_000  # three dense newspaper pages; the rest of a page that claims more is not marked


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word and its box on the page, as shares of the page's width and height from the top left corner, 0 to 1."""

    text: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as people see it."""

    data: bytes
    """WebP."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    words: tuple[PlacedWord, ...] = ()
    """In the order of the file's text layer; none where it has no text layer."""


def draw_page(path: Path, *, media_type: str, page_number: int, limits: Limits) -> PageImage:
    """Draw a page, counted from 1, with the words of its text layer.

    Raises:
        BadInput: there is no such page, it is too large, or the file is damaged or of a type that is not drawn.
    """
    if media_type == PDF:
        return _of_pdf(path, page_number=page_number, limits=limits)
    if media_type in DRAWN:
        return _image(open_picture(path, page_number=page_number, limits=limits))
    raise BadInput(f"pages of {media_type or 'this type'} are not drawn; read the text beside")


def open_picture(path: Path, *, page_number: int = 1, limits: Limits) -> Image.Image:
    """Open a page of a picture file, upright, in RGB, and not larger than pages are drawn.

    Raises:
        BadInput: there is no such page, it is too large, or the file is damaged.
    """
    from PIL import ImageOps

    with pictures.open_file(path, where="picture") as image, pictures.naming_damage("picture"):
        if getattr(image, "n_frames", 1) < page_number or page_number < 1:
            raise BadInput(f"there is no page {page_number}")
        image.seek(page_number - 1 if image.format == "TIFF" else 0)
        pictures.check_size(image, where="picture", limits=limits)
        upright = ImageOps.exif_transpose(image) if image.format != "TIFF" else image
        shown = pictures.flatten(upright).convert("RGB")
        share = sqrt(_PIXEL_BUDGET / (shown.width * shown.height))
        if share < 1:
            shown = shown.resize((max(1, int(shown.width * share)), max(1, int(shown.height * share))))
        return shown


def _of_pdf(path: Path, *, page_number: int, limits: Limits) -> PageImage:
    from ingest_assets.parsers.pdf.opening import opened

    with opened(path, limits=limits) as pdf:
        if not 1 <= page_number <= len(pdf):
            raise BadInput(f"there is no page {page_number}; the file has {len(pdf)}")
        page = pdf[page_number - 1]
        textpage = page.get_textpage()
        words = tuple(_words_of(page, textpage))
        return _image(_drawn(page), words=words)


def _drawn(page: PdfPage) -> Image.Image:
    width, height = (max(side, 1.0) for side in page.get_size())
    scale = min(_DOTS_PER_INCH / 72, sqrt(_PIXEL_BUDGET / (width * height)) * 0.999)
    bitmap = page.render(scale=scale, may_draw_forms=True)
    try:
        image: Image.Image = bitmap.to_pil().convert("RGB").copy()
    finally:
        bitmap.close()
    return image


def _words_of(page: PdfPage, textpage: PdfTextPage) -> Iterator[PlacedWord]:
    """Yield the words of the text layer; a word ends at white space and where a line ends."""
    import ctypes

    import pypdfium2.raw as raw

    box = [ctypes.c_int() for _ in range(2)]
    text, sides, found = "", [0.0, 0.0, 0.0, 0.0], 0

    def word() -> PlacedWord:
        left, top, right, bottom = sides
        return PlacedWord(text, *(round(share, 5) for share in (left, top, right - left, bottom - top)))

    for index in range(textpage.count_chars()):
        letter = chr(raw.FPDFText_GetUnicode(textpage.raw, index))
        if letter.isspace() or letter in "\0￾￿":
            if text:
                yield word()
                found, text = found + 1, ""
            if found >= _MOST_WORDS:
                return
            continue
        # The page's own conversion to pixels knows its rotation and its crop box.
        left, bottom, right, top = textpage.get_charbox(index, loose=True)
        corners = []
        for x, y in ((left, bottom), (right, top)):
            raw.FPDF_PageToDevice(page.raw, 0, 0, 10_000, 10_000, 0, x, y, *map(ctypes.byref, box))
            corners.append((box[0].value / 10_000, box[1].value / 10_000))
        (x0, y0), (x1, y1) = corners
        here = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
        if text and _is_elsewhere(sides, here):
            yield word()
            found, text = found + 1, ""
        if text:
            sides = [min(sides[0], here[0]), min(sides[1], here[1]), max(sides[2], here[2]), max(sides[3], here[3])]
        else:
            sides = here
        text += letter
    if text:
        yield word()


def _is_elsewhere(word: list[float], letter: list[float]) -> bool:
    """Tell whether a letter stands on another line than the word before it."""
    return letter[1] > word[3] or letter[3] < word[1] or letter[0] < word[0] - 0.02


def _image(image: Image.Image, *, words: tuple[PlacedWord, ...] = ()) -> PageImage:
    encoded = io.BytesIO()
    image.save(encoded, format="WEBP", quality=_QUALITY, method=2)
    return PageImage(encoded.getvalue(), image.width, image.height, words)

"""Draw a PDF page without readable text as one picture.

The page is drawn as a viewer shows it. Strips, masks, turned scans and letters drawn as curves become one grey picture,
which OCR reads like any other. Its size is limited before it is drawn, for any size that the page declares.
"""

from __future__ import annotations

import io
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, cast

from ingest_assets.errors import BadInput
from ingest_assets.parsers.building.pictures import JPEG, PNG, encoded_picture
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.pdf.graphics.pictures import pixels_of
from ingest_assets.parsers.pdf.objects import PageObjects
from ingest_assets.records import Picture

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfPage

DOTS_PER_INCH = 200  # print of 8 points is 22 px high; OCR uses at most 2,000 px of a page's height
PIXEL_BUDGET = 10_000_000  # more than A3 at 200 dots per inch; 10 MB of grey
_MAX_SIDE_PX = 20_000  # of a very narrow page; JPEG allows 65,535
_ROUNDING = 0.999  # PDFium rounds sides up
# Bytes per pixel of a PNG: line art and type have 0.1; photos and paper have more, and are much smaller as JPEG.
_PHOTO_BYTES = 0.25
_JPEG_QUALITY = 90


def picture_of(page: PdfPage, objects: PageObjects, *, page_number: int, limits: Limits) -> Picture | None:
    """Draw a page, or return None if it has a single colour.

    Raises:
        BadInput: an image on it is over `limits.max_picture_pixels`.
    """
    for scan in objects.images:
        width, height = pixels_of(scan.handle)
        if width * height > limits.max_picture_pixels:
            size, limit = f"{width:,} x {height:,} pixels", f"{limits.max_picture_pixels:,}"
            raise BadInput(f"page {page_number} is a scan of {size}, over the limit of {limit}; scan it coarser")
    image = _drawn(page)
    low, high = cast("tuple[int, int]", image.getextrema())
    if low == high:
        return None
    data, media_type = _encoded(image)
    return replace(encoded_picture(data, media_type=media_type, size=image.size, page_number=page_number), is_page=True)


def _drawn(page: PdfPage) -> Image.Image:
    width, height = (max(side, 1.0) for side in page.get_size())
    within = min(sqrt(PIXEL_BUDGET / (width * height)), _MAX_SIDE_PX / max(width, height)) * _ROUNDING
    bitmap = page.render(scale=min(DOTS_PER_INCH / 72, within), grayscale=True)
    try:
        image: Image.Image = bitmap.to_pil().convert("L").copy()
    finally:
        bitmap.close()
    return image


def _encoded(image: Image.Image) -> tuple[bytes, str]:
    """Encode as PNG, or as JPEG if that is much smaller."""
    png = io.BytesIO()
    image.save(png, format="PNG", compress_level=1)
    if len(png.getvalue()) > _PHOTO_BYTES * image.width * image.height:
        jpeg = io.BytesIO()
        image.save(jpeg, format="JPEG", quality=_JPEG_QUALITY)
        if len(jpeg.getvalue()) < len(png.getvalue()):
            return jpeg.getvalue(), JPEG
    return png.getvalue(), PNG

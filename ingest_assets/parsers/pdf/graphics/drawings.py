"""Draw the figures of a PDF page as pictures, as a viewer shows them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

from ingest_assets.parsers.building.pictures import PNG, encoded_picture
from ingest_assets.parsers.pdf.graphics.figures import Figure
from ingest_assets.parsers.pdf.graphics.pictures import PlacedPicture
from ingest_assets.parsers.pdf.objects import Box
from ingest_assets.records import Picture

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfPage

DOTS_PER_INCH = 150  # labels of 7 points are 15 px high
PIXEL_BUDGET = 2_000_000  # half a page of A4 at 150 dots per inch, and twice the resolution that vision models use


def draw(page: PdfPage, figures: Sequence[Figure], *, page_number: int) -> list[PlacedPicture]:
    """Draw each figure; skip those that have a single colour."""
    drawn = (_picture(_rendered(page, one.box), one, page_number=page_number) for one in figures)
    return [PlacedPicture(picture, one.box) for picture, one in zip(drawn, figures, strict=True) if picture]


def _rendered(page: PdfPage, box: Box) -> Image.Image:
    left, bottom, right, top = page.get_bbox()
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(DOTS_PER_INCH / 72, sqrt(PIXEL_BUDGET / (width * height)))
    crop = (box[0] - left, box[1] - bottom, right - box[2], top - box[3])
    bitmap = page.render(scale=scale, crop=tuple(max(0.0, side) for side in crop))
    try:
        image: Image.Image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    return image


def _picture(image: Image.Image, figure: Figure, *, page_number: int) -> Picture | None:
    if all(low == high for low, high in image.getextrema()):  # type: ignore[misc]  # a pair for each band
        return None
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    picture = encoded_picture(file.getvalue(), media_type=PNG, size=image.size, page_number=page_number)
    return replace(picture, has_text_layer=figure.has_words)

"""Decode a picture with little memory: upright, opaque on white, no larger than asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.parsers.building.pictures import BROKEN, flatten, opened

if TYPE_CHECKING:
    from PIL import Image


def decode(picture: bytes, *, max_side_px: int) -> Image.Image:
    """Decode to L or RGB, its longer side at most `max_side_px`.

    Raises:
        BadInput: it is damaged.
    """
    bounds = (max_side_px, max_side_px)
    with opened(picture, where="picture") as image:
        image.draft(None, bounds)  # a JPEG decodes to a half or a quarter at once
        factor = max(image.size) // max_side_px
        if factor > 1 and image.mode in {"L", "LA", "RGB", "RGBA"}:
            image = image.reduce(factor)  # before the steps that copy it: 40 million pixels take 160 MB
        if image.mode not in {"L", "RGB"} or image.has_transparency_data:
            image = flatten(image)
        image.thumbnail(bounds, reducing_gap=2.0)
        image.load()  # damaged pixels raise here; damaged metadata do not
        return _upright(image)


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image  # damaged metadata around a sound picture
